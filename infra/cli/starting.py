"""What `wireroom up` shows while the system starts, in the foreground and detached."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.panel import Panel
from rich.status import Status

from infra import local
from infra.cli.terminal import err, out
from infra.home import Home
from infra.settings import Settings

READY_S = 180.0
GIVE_UP_RESTARTS = 4  # a process that never got ready and died this often will not
LINES = 15


def foreground(settings: Settings, wanted: local.Wanted) -> int:
    """Run the system in this process until Ctrl-C; return the exit status."""
    home = Home(settings.home.resolve())
    home.make()
    logging.basicConfig(
        filename=home.log("supervisor"),
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    with err.status("starting") as status:
        display = Display(home, status)
        failure = local.run(settings, wanted, display.update)
    if failure is not None:
        err.print(f"[red]error:[/] {escape(failure)}", soft_wrap=True)
        return 1
    out.print("stopped")
    return 0


def detached(settings: Settings, wanted: local.Wanted) -> int:
    """Start the system as a background process and wait until it is ready."""
    home = Home(settings.home.resolve())
    home.make()
    with home.lock():
        pass  # refuses here, in the open, when another supervisor has it
    process = _spawn(home, wanted)
    deadline = time.monotonic() + READY_S
    with err.status("starting") as status:
        display = Display(home, status)
        while True:
            state = home.state() or {}
            is_ours = state.get("supervisor", {}).get("pid") == process.pid
            if process.poll() is not None:
                _show_end(home.log("supervisor"), "the supervisor ended")
                return 1
            if is_ours:
                display.update(state)
                if state["ready"]:
                    return 0
                if failing := _failing(state, deadline):
                    break
            elif time.monotonic() > deadline:
                failing = {"name": "supervisor", "log": home.log("supervisor")}
                break
            time.sleep(0.1)
        process.terminate()
        process.wait()
    _show_end(Path(failing["log"]), f"{failing['name']} does not start")
    return 1


def _spawn(home: Home, wanted: local.Wanted) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "infra.local", "--home", str(home.path)]
    command += ["--agents", str(wanted.agents)]
    command += [] if wanted.feed else ["--no-feed"]
    command += [] if wanted.port is None else ["--port", str(wanted.port)]
    command += ["--only", *wanted.only] if wanted.only else []
    with home.log("supervisor").open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class Display:
    """Prints each process as it gets ready, then once where the console is and how to log in."""

    def __init__(self, home: Home, status: Status) -> None:
        self._home = home
        self._status = status
        self._began = time.monotonic()
        self._seen: set[str] = set()
        self._told = False

    def update(self, state: dict[str, Any]) -> None:
        """Show what changed."""
        waiting = [p["name"] for p in state["processes"] if p["state"] != "ready"]
        for process in state["processes"]:
            if process["state"] == "ready" and process["name"] not in self._seen:
                self._seen.add(process["name"])
                passed_s = time.monotonic() - self._began
                err.print(f"[green]ready[/] {process['name']:10} {passed_s:5.1f} s")
        if self._told:
            stopping = all(p["state"] == "stopped" for p in state["processes"])
            self._status.update("stopping" if waiting and stopping else self._standing(waiting))
            return
        self._status.update(f"starting: {', '.join(waiting) or 'topics and deployment'}")
        if state["ready"]:
            self._told = True
            self._tell(state)
            self._status.update(self._standing(waiting))

    def _standing(self, waiting: list[str]) -> str:
        return f"waiting for: {', '.join(waiting)}" if waiting else "running; Ctrl-C stops all"

    def _tell(self, state: dict[str, Any]) -> None:
        login = self._home.login()
        lines = [
            f"console   {state['console']}",
            f"login     {login.user}",
            f"password  {login.password}",
            f"Kafka     {state['kafka']}",
            f"home      {self._home.path}",
        ]
        out.print(Panel.fit(escape("\n".join(lines)), title="Wireroom is ready"), highlight=False)


def _failing(state: dict[str, Any], deadline: float) -> dict[str, Any] | None:
    """Return the process that keeps the system from getting ready, None while there is hope."""
    waiting = [p for p in state["processes"] if p["state"] != "ready"]
    worst = max(waiting, key=lambda p: int(p["restarts"]), default=None)
    if worst is None:
        return None
    hopeless = worst["restarts"] >= GIVE_UP_RESTARTS or time.monotonic() > deadline
    return worst if hopeless else None


def _show_end(log: Path, what: str) -> None:
    err.print(f"[red]error:[/] {escape(what)}; the end of {escape(str(log))}:", soft_wrap=True)
    if log.exists():
        with log.open(encoding="utf-8", errors="replace") as file:
            for line in deque(file, LINES):
                err.print(f"  {escape(line.rstrip())}", soft_wrap=True, highlight=False)
