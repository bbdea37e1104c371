"""A whole system in a temporary home, without console, history, worker and scheduler."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from infra.home import Home, NotRunning, connect
from infra.settings import Settings
from stream import heartbeat

ROLES = ("broker", "cache", "tasks", "engine", "agent")
START_S = 60.0
STOP_S = 40.0
REPORT_S = 8.0  # reports come every 2 s


class NotStarted(RuntimeError):
    """The system under measurement did not start; the message holds the end of its log."""


@dataclass(frozen=True)
class System:
    """The running system: its settings, and its processes' figures."""

    settings: Settings
    agents: int

    def processes(self) -> dict[str, psutil.Process]:
        """Return the measured processes by name."""
        state = Home(self.settings.home).running()
        return {p["name"]: psutil.Process(p["pid"]) for p in state["processes"]}

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each process has used so far, what it started included."""
        used = {}
        for name, process in self.processes().items():
            times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
            ended = times[0].children_user + times[0].children_system
            used[name] = ended + sum(t.user + t.system for t in times)
        return used

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return every Python process's figures, reported after this call began."""
        asked = time.time()
        deadline = time.monotonic() + REPORT_S
        while True:
            reports = _reports(self.settings)
            if len(reports) == 1 + self.agents and all(r["at"] > asked for r in reports):
                return {r["name"]: r["figures"] for r in reports}
            if time.monotonic() > deadline:
                raise NotStarted(f"only {[r['name'] for r in reports]} report")
            time.sleep(0.05)

    @contextmanager
    def engine_stopped(self) -> Iterator[None]:
        """Let nothing be encoded meanwhile, so that a backlog can build up."""
        router = self.processes()["engine"]
        engine = [router, *router.children(recursive=True)]
        for process in engine:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in engine:
                process.send_signal(signal.SIGCONT)


@contextmanager
def running(settings: Settings, agents: int = 2) -> Iterator[System]:
    """Start a system and stop it again, its folder deleted; raises NotStarted."""
    home = Path(tempfile.mkdtemp(prefix="wireroom-bench-"))
    log = home / "supervisor.log"
    command = [sys.executable, "-m", "infra.local", "--home", str(home), "--no-feed"]
    command += ["--agents", str(agents), "--only", *ROLES]
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            command, env={**os.environ, **settings.environ()}, stdout=output, stderr=output
        )
    try:
        system = System(_connected(settings, home, supervisor, log), agents)
        _wait_until_ready(system, log)
        yield system
    finally:
        supervisor.terminate()
        try:
            supervisor.wait(STOP_S)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
        shutil.rmtree(home, ignore_errors=True)


def _connected(
    settings: Settings, home: Path, supervisor: subprocess.Popen[bytes], log: Path
) -> Settings:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and supervisor.poll() is None:
        try:
            return connect(
                Settings(home=home, assets=settings.assets, token_budget=settings.token_budget)
            )
        except NotRunning:
            time.sleep(0.1)
    raise NotStarted(_end_of(log))


def _wait_until_ready(system: System, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            reports = _reports(system.settings)
        except redis.RedisError:
            reports = []
        if len(reports) == 1 + system.agents and all(r["figures"].get("ready") for r in reports):
            return
        time.sleep(0.2)
    raise NotStarted(_end_of(log))


def _reports(settings: Settings) -> list[dict[str, Any]]:
    return [r for r in heartbeat.read_all(settings) if r["role"] in ("engine", "agent")]


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
