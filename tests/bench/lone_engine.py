"""A real engine process behind its socket, without a system around it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from infra.settings import ROOT, Settings

START_S = 60.0


class NoEngine(RuntimeError):
    """The engine process did not start; the message holds the end of its log."""


@dataclass(frozen=True)
class Engine:
    """A running engine: where it listens, and its process number."""

    address: str
    pid: int

    def workers(self) -> dict[int, int]:
        """Return the resident bytes of each process that computes, by process number."""
        found = {}
        for process in psutil.Process(self.pid).children(recursive=True):
            try:
                if "stream.engine_worker" in process.cmdline():
                    found[process.pid] = int(process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        return found


@contextmanager
def lone_engine(settings: Settings, home: Path) -> Iterator[Engine]:
    """Run the engine alone, which then reports to nobody, and stop it; raises NoEngine."""
    own = replace(settings, home=home, process="engine", engine="")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream.engine_process"],
            cwd=ROOT,
            env={**os.environ, **own.environ()},
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(own.engine_address, process)
        except NoEngine as error:
            log.seek(0)
            raise NoEngine(f"{error}: {log.read()[-1500:].decode(errors='replace')}") from error
        else:
            yield Engine(own.engine_address, process.pid)
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    socket_file = Path(address.removeprefix("unix:"))
    deadline = time.monotonic() + START_S
    while not socket_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoEngine(f"no engine at {address}")
        time.sleep(0.1)
