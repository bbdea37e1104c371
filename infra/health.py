"""Whether each process does its work: asked from a thread, so that a hung server stops nobody.

Broker, cache, tasks and console are probed; all others report themselves (stream.heartbeat). For
the first three, which cannot, the reports are made here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psutil
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra import ports
from infra.settings import Settings
from stream import heartbeat

EVERY_S = 0.5
PROBE_S = 1.0
REPORTED_HERE = ("broker", "cache", "tasks")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """A running process as the supervisor knows it."""

    name: str
    role: str
    pid: int
    began: float  # wall clock


@dataclass
class Health:
    """Probes what is `watched` until `close`; `ready` holds the latest answer by name and pid."""

    settings: Settings
    watched: tuple[Watched, ...] = ()
    ready: dict[tuple[str, int], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._closed = threading.Event()
        # Silent: a broker that is starting, or was killed, is what we are here to find out.
        self._admin = AdminClient({"bootstrap.servers": self.settings.kafka, "log_level": 0})
        self._clients = {
            "cache": _client(self.settings.cache),
            "tasks": _client(self.settings.tasks),
        }
        self._processes: dict[int, psutil.Process] = {}
        self._reported_at = 0.0
        self._forgotten: list[str] = []
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Begin to probe."""
        self._thread.start()

    def forget(self, name: str) -> None:
        """Clear the report of a process that ends on purpose: it is not lost."""
        self._forgotten.append(name)

    def close(self) -> None:
        """End the thread after its running probe."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(EVERY_S):
            try:
                self._look(self.watched)
            except Exception:
                log.exception("a health probe failed")

    def _look(self, watched: tuple[Watched, ...]) -> None:
        answers: dict[tuple[str, int], bool] = {}
        reports: dict[str, dict[str, Any]] | None = None
        for process in sorted(watched, key=lambda p: p.role != "tasks"):
            key = (process.name, process.pid)
            if process.role in REPORTED_HERE or process.role == "console":
                answers[key] = self._probe(process.role)
                continue
            if reports is None:
                reports = self._reports()
            report = reports.get(process.name)
            if report is not None and report["at"] >= process.began:
                answers[key] = report["state"] == "ready"
            else:
                answers[key] = False
            # Without the tasks server nobody can report: what was ready counts as ready.
            if not reports and self.ready.get(key):
                answers[key] = True
        self.ready = answers
        while self._forgotten:
            with contextlib.suppress(redis.RedisError):
                heartbeat.clear(self.settings, self._forgotten.pop())
        if time.monotonic() - self._reported_at >= heartbeat.EVERY_S:
            self._reported_at = time.monotonic()
            self._report([p for p in watched if p.role in REPORTED_HERE], answers)

    def _probe(self, role: str) -> bool:
        if role == "console":
            return ports.answers(self.settings.console_port, timeout_s=PROBE_S)
        if role == "broker":
            port = int(self.settings.kafka.rpartition(":")[2])
            if not ports.answers(port, timeout_s=PROBE_S):
                return False
            try:
                return bool(self._admin.list_topics(timeout=PROBE_S).brokers)
            except KafkaException:
                return False
        try:
            return bool(self._clients[role].ping())
        except redis.RedisError:
            return False

    def _reports(self) -> dict[str, dict[str, Any]]:
        try:
            return {report["name"]: report for report in heartbeat.read_all(self.settings)}
        except redis.RedisError:
            return {}

    def _report(self, watched: list[Watched], answers: dict[tuple[str, int], bool]) -> None:
        for process in watched:
            try:
                known = self._processes.setdefault(process.pid, psutil.Process(process.pid))
                figures = {"ready": answers.get((process.name, process.pid), False)}
                client = self._clients["tasks"]
                heartbeat.report(client, self.settings, known, process.name, process.role, figures)
            except (redis.RedisError, psutil.NoSuchProcess):
                continue


def _client(address: str) -> redis.Redis:
    return redis.Redis.from_url(address, socket_timeout=PROBE_S, socket_connect_timeout=PROBE_S)
