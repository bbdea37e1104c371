"""A job's process: JSON specification in, JSON lines out, killed with all that it started.

It has a process group of its own, so that killing it takes its children too, and the kernel kills
it when the thread that started it ends, so that a killed worker leaves no training behind that
nobody records. It sees neither our settings nor our secrets: `ml` reads no environment.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from infra.settings import PREFIX, ROOT

JOB = (sys.executable, "-m", "ml.job")
LAUNCH = ROOT / "infra" / "launch.py"
NICE = ("nice", "-n", "10")  # a training gives way to the engine on the same cores
LONGEST_LINE = 1024 * 1024  # bytes; more without a line's end is no event
READ_AT_ONCE = 64 * 1024
GRACE_S = 2.0  # from SIGTERM to SIGKILL
POLL_S = 0.05
HIDDEN = (PREFIX, "DJANGO_", "CELERY_")
log = logging.getLogger(__name__)

Event = dict[str, Any]


class Child:
    """One running job; leaving the `with` block leaves no process of its group.

    `folder` gets `spec.json`, which the job reads as its input, and `log`.
    """

    def __init__(self, command: Sequence[str], specification: Event, folder: Path) -> None:
        (folder / "spec.json").write_text(json.dumps(specification, indent=2) + "\n")
        self._log: IO[bytes] = (folder / "log").open("ab", buffering=0)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(HIDDEN)}
        with (folder / "spec.json").open("rb") as its_input:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *NICE, *command],
                cwd=ROOT,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdin=its_input,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._rest = b""
        self._open = True

    @property
    def pid(self) -> int:
        """The leader of the job's process group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the leader has ended; it is not reaped, so its number stays ours."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def read(self, wait_s: float) -> list[Event]:
        """Return the events that arrived within `wait_s`; what is no event goes to the log."""
        if not self._open:
            time.sleep(min(wait_s, POLL_S))
            return []
        if not self._selector.select(wait_s):
            return []
        chunk = os.read(self._out.fileno(), READ_AT_ONCE)  # it is readable: this never waits
        if not chunk:  # all writers have closed it
            self._open = False
            self._selector.unregister(self._out)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE or not chunk:
            lines.append(self._rest)
            self._rest = b""
        return [event for line in lines if (event := self._parse(line)) is not None]

    def drain(self) -> list[Event]:
        """Return the events that are left once the job has ended."""
        events: list[Event] = []
        while self._open and self._selector.select(0):
            events += self.read(0)
        if last := self._parse(self._rest):
            events.append(last)
        self._rest = b""
        return events

    def _parse(self, line: bytes) -> Event | None:
        if not line.strip():
            return None
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            if event["event"] in ("log", "error"):
                self.note(str(event.get("text", "")))
            return event
        self._log.write(line + b"\n")
        return None

    def memory_mb(self) -> int:
        """Return what the job and all that it started hold in memory, shared pages counted once.

        Proportional shares (PSS), because a job's own children share the libraries with it.
        """
        held = 0
        for process in self._group():
            with contextlib.suppress(psutil.Error):
                held += process.memory_full_info().pss
        return held // 2**20

    def _group(self) -> list[psutil.Process]:
        try:
            leader = psutil.Process(self.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.Error:
            return []

    def note(self, text: str) -> None:
        """Add a line to the job's log."""
        self._log.write(f"{text}\n".encode(errors="replace"))

    def kill(self) -> int:
        """End the whole group, asked first and then by force; return the leader's exit code."""
        if not self.ended:
            self._signal(signal.SIGTERM)
            until = time.monotonic() + GRACE_S
            while not self.ended and time.monotonic() < until:
                time.sleep(POLL_S)
        self._signal(signal.SIGKILL)  # stragglers too; the leader is not reaped yet
        return self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return  # reaped: the number may be someone else's by now
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # The group is gone, or (before `setsid`, for an instant) does not exist yet.
            self._process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._selector.close()
        self._out.close()
        self._log.close()
