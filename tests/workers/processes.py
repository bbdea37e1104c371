"""Starts the processes of one installation: its tasks server, its workers, its schedulers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from celery import Celery

from console.runs.models import Run
from infra import names, ports, valkey
from infra.settings import ROOT, Settings
from tests.workers.plays import wait_for


@dataclass
class Processes:
    """The processes of one installation; `stop` leaves none."""

    settings: Settings
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def tasks_server(self) -> subprocess.Popen[bytes]:
        folder = self.settings.home / "tasks"
        process = self._start("tasks", valkey.tasks_command(self.port, folder))
        wait_for(lambda: ports.answers(self.port), 10)
        return process

    def worker(self, name: str = "worker") -> subprocess.Popen[bytes]:
        process = self.celery(name, "worker", "-n", f"{name}@%h", "--without-mingle")
        wait_for(lambda: " ready." in self.log(name), 20)
        return process

    def celery(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        app = ("-m", "celery", "-A", "tests.workers.installed")
        return self._start(name, [sys.executable, *app, *arguments, "-l", "info"])

    def log(self, name: str) -> str:
        return (self.settings.home / f"{name}.log").read_text()

    def send(self, run: Run, *, queue: str = names.QUEUE_HEADS) -> None:
        """Send a run's task as the console does: by name, without our app."""
        with Celery(broker=self.settings.tasks) as client:
            client.send_task(names.TASK_RUN, args=[str(run.pk)], queue=queue)

    def stop(self) -> None:
        for process in self.started:
            process.kill()
        for process in self.started:
            process.wait()

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self.settings.environ(), "WIREROOM_PROCESS": name}
        with Path(self.settings.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """End one process as an out-of-memory kill does."""
    process.send_signal(signal.SIGKILL)
    process.wait()
