"""One supervised process: started in a session of its own, watched, started again, ended.

A child is `starting` until it says it is ready, `backoff` while it waits to be started again, and
`stopped` once it was told to end. All starts happen in the supervisor's main thread: the kernel
ends a child with the thread that started it (see launch.py).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES = 16 * 1024 * 1024  # then the file becomes `.1`; so a process holds at most twice that
LONGEST_BACKOFF_S = 30.0
# A process that was ready and lived this long had started well: its death is a new trouble, met
# at once. Short, because an agent killed every ten seconds must be back each time, and an engine
# every four.
HEALTHY_S = 3.0


@dataclass(frozen=True)
class Program:
    """What to run as one process, and when.

    `after` names what must be ready first (processes, or steps such as "topics"); `stop_s` is how
    long it may take to end before it is killed. `once`: it runs to its end, as a step.
    """

    name: str
    role: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    stop_s: float = 10.0
    once: bool = False


@dataclass
class Child:
    """A program and its present process."""

    program: Program
    log: Path
    folder: Path
    state: str = "starting"
    since: float = field(default_factory=time.time)
    process: subprocess.Popen[bytes] | None = None
    created: float = 0.0  # when the kernel says the process began
    began: float = 0.0  # monotonic
    failures: int = 0
    restarts: int = 0
    retry_at: float = 0.0  # monotonic
    was_ready: bool = False
    ever_ready: bool = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def enter(self, state: str) -> None:
        """Change the state, and remember when."""
        if state != self.state:
            self.state, self.since = state, time.time()

    def start(self) -> None:
        """Start the process; its output is appended to the log."""
        command = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *self.program.command]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.program.environ},
                start_new_session=True,  # a Ctrl-C is for the supervisor, which ends all in order
            )
        self.created = psutil.Process(self.process.pid).create_time()
        self.began = time.monotonic()
        self.was_ready = False
        self.state, self.since = "starting", time.time()

    def ready(self, is_ready: bool) -> None:
        """Take note of what the process, or a probe of it, says."""
        if self.process is None or self.state == "stopped":
            return
        self.was_ready |= is_ready
        self.ever_ready |= is_ready
        self.enter("ready" if is_ready else "starting")

    def reap(self) -> int | None:
        """Return the exit status if the process has died since, and plan the next start."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        end_session(self.process.pid, self.created, signal.SIGKILL)
        self.process = None
        now = time.monotonic()
        if self.was_ready and now - self.began >= HEALTHY_S:
            self.failures = 0
        delay_s = 0.0 if self.failures == 0 else min(LONGEST_BACKOFF_S, 2 ** (self.failures - 1))
        self.failures += 1
        self.restarts += 1
        self.retry_at = now + delay_s
        self.was_ready = False
        self.enter("backoff")
        return status

    def signal(self, number: signal.Signals) -> None:
        """Signal the process, and with SIGKILL all it has started."""
        if self.process is None or self.process.poll() is not None:
            return
        if number == signal.SIGKILL:
            end_session(self.process.pid, self.created, number)
        self.process.send_signal(number)

    def bound_log(self) -> None:
        """Keep the log under its bound: copy it aside, then cut it; appending goes on."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)

    def last_lines(self, count: int = 20) -> list[str]:
        """Return the end of the log."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 64 * 1024))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]


def end_session(leader: int, created: float, number: signal.Signals) -> list[int]:
    """Signal what a process started and what belongs to its session; return the process ids.

    Whatever is older than the session's leader is left alone: its number was used before.
    """
    ended = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.create_time() >= created - 0.05:
                process.send_signal(number)
                ended.append(process.pid)
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    return ended


def as_state(child: Child) -> dict[str, Any]:
    """Return a child as it stands in state.json."""
    return {
        "name": child.program.name,
        "role": child.program.role,
        "pid": child.pid,
        "state": child.state,
        "since": datetime.fromtimestamp(child.since, UTC).isoformat(timespec="milliseconds"),
        "started": child.created,
        "restarts": child.restarts,
        "log": str(child.log),
    }
