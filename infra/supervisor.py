"""Keep a set of programs running until told to stop.

One thread does everything that matters, in a loop: reap the dead, start what is due, take note of
who is ready, write run/state.json where something changed. Probing is done in a thread of its own
(health.py), and so is what has to happen once before the agents start (`steps`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import psutil

from infra.child import LONGEST_BACKOFF_S, Child, Program, as_state, end_session
from infra.health import Health, Watched
from infra.home import Home, is_alive, write_json

TICK_S = 0.2
LOGS_EVERY_S = 5.0
# Groups that end one after another: no more articles, then who classifies, then who serves, then
# what all of them need.
STOP_ORDER = (
    ("feed",),
    ("agent",),
    ("engine",),
    ("worker", "scheduler", "history", "console"),
    ("tasks", "cache"),
    ("broker",),
)
STEP_TRIES = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What is done once, in a thread, when `after` is ready; its name is then ready too."""

    name: str
    after: frozenset[str]
    action: Callable[[], None]
    retry: tuple[type[Exception], ...] = ()


class Supervisor:
    """Runs `programs` and `steps`; `agent` makes the program of the n-th agent."""

    def __init__(
        self,
        home: Home,
        addresses: dict[str, str],
        programs: Sequence[Program],
        steps: Sequence[Step],
        health: Health,
        agent: Callable[[int], Program] | None = None,
    ) -> None:
        self._home = home
        self._addresses = addresses
        self._children = {program.name: self._child(program) for program in programs}
        self._steps = {step.name: step for step in steps}
        self._running_steps: set[str] = set()
        self._done: set[str] = set()
        self._health = health
        self._agent = agent
        self._stopping = False
        self._failure: str | None = None
        self._written: dict[str, Any] = {}
        self._logs_at = 0.0
        self._me = psutil.Process()

    def _child(self, program: Program) -> Child:
        return Child(program, self._home.log(program.name), self._home.path)

    def run(self, on_change: Callable[[dict[str, Any]], None] | None = None) -> str | None:
        """Run until SIGTERM or SIGINT; return why it could not go on, None after an order.

        `on_change` gets the state each time it changes. Call it from the main thread.
        """
        wake = self._catch_signals()
        self._end_orphans()
        self._health.start()
        try:
            while not self._stopping and self._failure is None:
                self._tick()
                self._publish(on_change)
                select.select([wake], [], [], TICK_S)
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
        finally:
            self._stop_all(on_change)
        return self._failure

    def _catch_signals(self) -> int:
        """Turn signals into a readable pipe; a second Ctrl-C says nothing new."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return reader

    def _end_orphans(self) -> None:
        """End what a killed supervisor of this home may have left behind."""
        state = self._home.state() or {}
        for process in state.get("processes", []):
            if process["pid"] and is_alive(process):
                log.warning("ending %s (pid %d) of an earlier run", process["name"], process["pid"])
                end_session(process["pid"], process["started"], signal.SIGKILL)

    def _tick(self) -> None:
        self._follow_agents_file()
        for child in self._children.values():
            self._reap(child)
        ready = self._take_note()
        for child in self._children.values():
            self._start_when_due(child, ready)
        for step in self._steps.values():
            self._run_when_due(step, ready)
        if time.monotonic() - self._logs_at > LOGS_EVERY_S:
            self._logs_at = time.monotonic()
            for child in self._children.values():
                child.bound_log()

    def _reap(self, child: Child) -> None:
        if child.state == "stopped" or (status := child.reap()) is None:
            return
        program = child.program
        if program.once and status == 0:
            child.enter("stopped")
            self._done.add(program.name)
            return
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        wait_s = max(0.0, child.retry_at - time.monotonic())
        log.warning("%s ended (%s), starts again in %.1f s", program.name, how, wait_s)
        if program.once and child.failures >= STEP_TRIES:
            self._failure = f"{program.name} failed {child.failures} times ({how}), see {child.log}"

    def _take_note(self) -> set[str]:
        """Pass on what the probes found and return the names of all that is or was ready.

        A dependency holds up a start only until it has been ready once since it died: a slow
        probe on a busy machine must not keep an agent from coming back.
        """
        answers = self._health.ready
        watched = []
        ready = set(self._done)
        for child in self._children.values():
            if child.pid is None or child.program.once or child.state == "stopped":
                continue
            program = child.program
            if (answer := answers.get((program.name, child.pid))) is not None:
                if answer and child.state != "ready":
                    log.info("%s is ready (pid %d)", program.name, child.pid)
                child.ready(answer)
            watched.append(Watched(program.name, program.role, child.pid, child.created))
            if child.was_ready:
                ready.add(program.name)
        self._health.watched = tuple(watched)
        return ready

    def _start_when_due(self, child: Child, ready: set[str]) -> None:
        if child.process is not None or child.state == "stopped":
            return
        if not child.program.after <= ready:
            child.retry_at, child.failures = 0.0, 0  # its death was that of what it needs
            return
        if time.monotonic() < child.retry_at:
            return
        try:
            child.start()
        except OSError as error:  # no memory, no process number, no disk for the log
            log.error("%s cannot be started: %s", child.program.name, error)
            child.retry_at = time.monotonic() + LONGEST_BACKOFF_S
        else:
            log.info("%s started (pid %d)", child.program.name, child.pid)

    def _run_when_due(self, step: Step, ready: set[str]) -> None:
        if step.name in self._done | self._running_steps or not step.after <= ready:
            return
        self._running_steps.add(step.name)
        threading.Thread(target=self._do, args=(step,), name=step.name, daemon=True).start()

    def _do(self, step: Step) -> None:
        for attempt in range(STEP_TRIES):
            try:
                step.action()
            except step.retry as error:
                log.warning("%s, attempt %d: %s", step.name, attempt + 1, error)
                failure = str(error)
                time.sleep(1)
            except Exception as error:
                log.exception("%s failed", step.name)
                self._failure = f"{step.name}: {error}"
                return
            else:
                log.info("%s: done", step.name)
                self._done.add(step.name)
                return
        self._failure = f"{step.name}: {failure}"

    def _follow_agents_file(self) -> None:
        """Add or end agents until there are as many as the file says."""
        if self._agent is None:
            return
        try:
            wanted = int(self._home.agents_file.read_text())
        except (FileNotFoundError, ValueError):
            return
        agents = [child for child in self._children.values() if child.program.role == "agent"]
        for number in range(len(agents) + 1, wanted + 1):
            program = self._agent(number)
            self._children[program.name] = self._child(program)
        for child in agents[wanted:]:
            if child.state != "stopped":
                log.info("%s is not wanted any more", child.program.name)
                child.signal(signal.SIGTERM)
                child.enter("stopped")
                self._health.forget(child.program.name)
                child.retry_at = time.monotonic() + child.program.stop_s
            elif child.process is None or child.process.poll() is not None:
                del self._children[child.program.name]
            elif time.monotonic() > child.retry_at:
                child.signal(signal.SIGKILL)

    def _publish(self, on_change: Callable[[dict[str, Any]], None] | None) -> None:
        """Write the state where it changed."""
        lasting = [child for child in self._children.values() if not child.program.once]
        is_ready = all(child.state == "ready" for child in lasting)
        state = {
            "supervisor": {"pid": self._me.pid, "started": self._me.create_time()},
            "ready": is_ready and self._done >= self._steps.keys() and not self._stopping,
            **self._addresses,
            "failure": self._failure,
            "processes": [as_state(child) for child in lasting],
        }
        if state == self._written:
            return
        try:
            write_json(self._home.state_file, state)
        except OSError as error:  # a full disk must not end the supervisor
            log.error("the state cannot be written: %s", error)
            return
        self._written = state
        if on_change is not None:
            on_change(state)

    def _stop_all(self, on_change: Callable[[dict[str, Any]], None] | None) -> None:
        """End all in order; nothing is left when it returns."""
        self._stopping = True
        self._health.close()
        once = [child for child in self._children.values() if child.program.once]
        groups = [once] + [
            [child for child in self._children.values() if child.program.role in roles]
            for roles in STOP_ORDER
        ]
        for group in groups:
            for child in group:
                child.signal(signal.SIGTERM)
            for child in group:
                self._wait_for_end(child)
            self._publish(on_change)
        log.info("all stopped")

    def _wait_for_end(self, child: Child) -> None:
        deadline = time.monotonic() + child.program.stop_s
        process = child.process
        while process is not None and process.poll() is None:
            if time.monotonic() > deadline:
                log.warning("%s did not end, killing it", child.program.name)
                child.signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.02)
        if process is not None:
            end_session(process.pid, child.created, signal.SIGKILL)
        child.process = None
        child.enter("stopped")
