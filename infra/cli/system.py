"""Start, look at and stop the system: up, status, down, agents."""

from __future__ import annotations

import os
import signal
import time
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, err, out, print_json, settings_at

DOWN_S = 120.0  # longer than every process's own bound together in practice
AGENTS_S = 60.0
COLOURS = {"ready": "green", "starting": "yellow", "backoff": "red", "stopped": "dim"}


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (up, status, down, agents):
        app.command()(command)


def up(
    home: HomeOption = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when everything is ready; runs on.")
    ] = False,
    agents: Annotated[int, typer.Option(min=0, max=64, help="How many agents classify.")] = 2,
    no_feed: Annotated[
        bool, typer.Option("--no-feed", help="Do not replay the demonstration newswire.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="The console's port.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Start this role alone; may be repeated.")
    ] = None,
) -> None:
    """Start everything on this machine; Ctrl-C stops it in order."""
    # Imported here: it brings Kafka's client, which --help must not wait for.
    from infra.cli import starting
    from infra.local import Wanted

    wanted = Wanted(agents, not no_feed, port, tuple(only or ()))
    settings = settings_at(home)
    started = starting.detached if detach else starting.foreground
    raise typer.Exit(started(settings, wanted))


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what runs, where it listens, and whether it is ready."""
    from infra.home import Home, NotRunning  # here: psutil is not needed for --help

    installation = Home(settings_at(home).home.resolve())
    try:
        state: dict[str, Any] | None = installation.running()
    except NotRunning as stopped:
        state = None
        reason = str(stopped)
    if as_json:
        print_json(_answer(state))
    elif state is None:
        out.print(escape(reason))
    else:
        _show(state)


def _answer(state: dict[str, Any] | None) -> dict[str, Any]:
    """Return what `status --json` prints; the form is fixed."""
    if state is None:
        addresses: dict[str, Any] = dict.fromkeys(("kafka", "redis", "tasks", "console"))
        return {"ready": False, **addresses, "processes": []}
    addresses = {key: state[key] for key in ("kafka", "redis", "tasks", "console")}
    fields = ("name", "role", "pid", "state", "since")
    processes = [{key: process[key] for key in fields} for process in state["processes"]]
    return {"ready": state["ready"], **addresses, "processes": processes}


def _show(state: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("process", "pid", "state", "since", "restarts", "memory"):
        table.add_column(
            title, justify="right" if title in ("pid", "restarts", "memory") else "left"
        )
    total = 0
    for process in state["processes"]:
        used = _memory(process["pid"])
        total += used
        colour = COLOURS[process["state"]]
        table.add_row(
            process["name"],
            str(process["pid"] or ""),
            f"[{colour}]{process['state']}[/]",
            process["since"][:19].replace("T", " "),
            str(process["restarts"]),
            f"{used / 2**20:,.0f} MiB",
        )
    total += _memory(state["supervisor"]["pid"], alone=True)
    out.print("[green]ready[/]" if state["ready"] else "[yellow]not ready[/]")
    for key, meaning in (
        ("console", "console"),
        ("kafka", "Kafka"),
        ("redis", "cache"),
        ("tasks", "tasks"),
    ):
        out.print(f"{meaning:8} {state[key]}", highlight=False)
    out.print(table)
    out.print(f"memory of all, shared pages counted once: {total / 2**20:,.0f} MiB")


def _memory(pid: int | None, *, alone: bool = False) -> int:
    """Return the proportional set size in bytes of a process, and unless `alone` of all it started.

    0 where it cannot be read.
    """
    import psutil  # here: not needed for --help

    if pid is None:
        return 0
    try:
        leader = psutil.Process(pid)
        tree = [leader] if alone else [leader, *leader.children(recursive=True)]
        return sum(process.memory_full_info().pss for process in tree)
    except (psutil.Error, ProcessLookupError):
        return 0


def down(home: HomeOption = None) -> None:
    """Stop everything in order; nothing is lost and no process is left."""
    from infra.home import Home, is_alive  # here: psutil is not needed for --help

    installation = Home(settings_at(home).home.resolve())
    supervisor = installation.running()["supervisor"]
    os.kill(supervisor["pid"], signal.SIGTERM)
    deadline = time.monotonic() + DOWN_S
    with err.status("stopping") as display:
        while is_alive(supervisor):
            state = installation.state() or {"processes": []}
            left = [p["name"] for p in state["processes"] if p["state"] != "stopped"]
            display.update(f"stopping: {', '.join(left)}")
            if time.monotonic() > deadline:
                err.print(f"pid {supervisor['pid']} has not ended within {DOWN_S:.0f} s")
                raise typer.Exit(1)
            time.sleep(0.1)
    out.print(f"stopped; `wireroom up` goes on where it was ({escape(str(installation.path))})")


def agents(
    count: Annotated[int, typer.Argument(min=0, max=64, help="How many agents classify.")],
    home: HomeOption = None,
) -> None:
    """Change how many agents run, and wait until they do."""
    from infra.home import Home  # here: psutil is not needed for --help

    installation = Home(settings_at(home).home.resolve())
    installation.running()
    installation.want_agents(count)
    deadline = time.monotonic() + AGENTS_S
    while time.monotonic() < deadline:
        found = [p for p in installation.running()["processes"] if p["role"] == "agent"]
        if len(found) == count and all(p["state"] == "ready" for p in found):
            out.print(f"{count} agents ready")
            return
        time.sleep(0.2)
    err.print(f"not all of {count} agents are ready after {AGENTS_S:.0f} s; see `wireroom status`")
    raise typer.Exit(1)
