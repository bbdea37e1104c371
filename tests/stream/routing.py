"""A router of its own for a test, with workers of a given module: `python -m ... WORKER`.

Its figures are written to `figures.json` in its home.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.settings import Settings, load
from stream import engine_process, heartbeat
from stream.engine_client import EngineClient
from tests.running import wait_until

LETTERS = "tests.stream.dying_engine"
REAL = "stream.engine_worker"
START_S = 20.0


@dataclass
class Routing:
    """A running router."""

    settings: Settings
    worker: str
    process: subprocess.Popen[bytes]
    clients: list[EngineClient] = field(default_factory=list)

    def client(self) -> EngineClient:
        """Return a connection of its own, closed at the end."""
        self.clients.append(EngineClient(self.settings.engine_address))
        return self.clients[-1]

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes that live."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]

    def figures(self) -> dict[str, Any]:
        """Return what the console would be told, written after this call."""
        file = self.settings.home / "figures.json"
        file.unlink(missing_ok=True)
        wait_until(file.exists, 5.0, "figures")
        return dict(json.loads(file.read_text()))

    def start_again(self) -> None:
        """Start another router, as the supervisor does after a death."""
        self.process.wait(10)
        self.process = _start(self.settings, self.worker)


@contextmanager
def routing(home: Path, worker: str = LETTERS, **given: Any) -> Iterator[Routing]:
    """Run a router while the block runs; `given` are settings."""
    settings = Settings(home=home, **given)
    router = Routing(settings, worker, _start(settings, worker))
    try:
        yield router
    finally:
        for client in router.clients:
            client.close()
        router.process.kill()
        router.process.wait()


def _start(settings: Settings, worker: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.stream.routing", worker]
    return subprocess.Popen(command, env={**os.environ, **settings.environ()})


def _write_figures(home: Path, figures: heartbeat.Figures) -> None:
    while True:
        file = home / "figures.new"
        file.write_text(json.dumps(figures()))
        file.replace(home / "figures.json")
        time.sleep(0.1)


def main() -> None:
    """Run the engine; report to a file instead of a server."""

    def start(settings: Settings, _role: str, figures: heartbeat.Figures) -> threading.Thread:
        thread = threading.Thread(target=_write_figures, args=(settings.home, figures), daemon=True)
        thread.start()
        return thread

    heartbeat.start = start  # type: ignore[assignment] # the one thing not to be tested here
    engine_process.main(load(), sys.argv[1])


if __name__ == "__main__":
    main()
