"""A system started for tests: the real supervisor with real servers, on free ports.

It is started through infra/launch.py, so that nothing of it outlives the test run, however that
ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.child import LAUNCH
from infra.home import Home, connect
from infra.settings import Settings

SERVERS = ("broker", "cache", "tasks")
WIREROOM = str(Path(sys.executable).with_name("wireroom"))


def wait_until(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Return the condition's first truthy value; fails the test after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(0.05)
    return value


@dataclass
class Running:
    """A running system; `settings` hold its addresses."""

    home: Path
    supervisor: subprocess.Popen[bytes]
    settings: Settings

    @property
    def state(self) -> dict[str, Any]:
        """The supervisor's state.json."""
        return Home(self.home).running()

    def process(self, name: str) -> dict[str, Any]:
        """Return one process of the state by name."""
        found: dict[str, Any] = next(p for p in self.state["processes"] if p["name"] == name)
        return found

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal one process and return its number; raises ProcessLookupError where it has none."""
        pid = self.process(name)["pid"]
        if pid is None:
            raise ProcessLookupError(f"{name} is being started again")
        os.kill(pid, number)
        return int(pid)

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until every process is ready."""
        wait_until(lambda: self.state["ready"], timeout_s, f"{self.home} ready")

    def command(
        self, *arguments: str, timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run `wireroom` on this system and return what it printed."""
        return command(*arguments, "--home", str(self.home), timeout_s=timeout_s)


def command(*arguments: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run `wireroom` and return its exit status and output."""
    return subprocess.run(
        [WIREROOM, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
    )


def start(home: Path, *arguments: str, timeout_s: float = 120.0) -> Running:
    """Start a supervisor in `home` and wait until it is ready; fails with its log's end."""
    log = home / "test-supervisor.log"
    local = [sys.executable, "-m", "infra.local", "--home", str(home), *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *local],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def ready() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"the supervisor ended:\n{log.read_text()[-4000:]}")
        state = Home(home).state() or {}
        return state.get("supervisor", {}).get("pid") == process.pid and bool(state["ready"])

    try:
        wait_until(ready, timeout_s, f"{home} ready")
    except BaseException:
        stop(process)
        state = json.dumps(Home(home).state(), indent=1)
        sys.stderr.write(f"{log.read_text()[-4000:]}\n{state}\n")
        raise
    return Running(home, process, connect(replace(Settings(), home=home)))


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a supervisor in order and return its exit status."""
    if process.poll() is None:
        process.terminate()
    return process.wait(timeout=120)


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[Running]:
    """Run a system while the block runs."""
    system = start(home, *arguments)
    try:
        yield system
    finally:
        stop(system.supervisor)
