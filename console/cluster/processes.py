"""The processes as the cluster knows them: those that report, and those that have stopped to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings

from console.history.models import Process
from infra import names
from stream import heartbeat

SHOWN_BELOW = frozenset(
    [
        *("queue_texts", "tokens_per_s", "texts_per_batch", "tokens_per_batch", "padding_share"),
        *("p50_ms", "p95_ms", "p99_ms", "recent_s"),
    ]
)
"""Figures that have a place of their own on the page."""


@dataclass(frozen=True)
class Report:
    """A process's last report. `state` is ready, starting, lost, or unknown without the tasks server."""

    name: str
    role: str
    host: str
    state: str
    pid: int | None
    since: datetime | None
    seen_at: datetime
    cpu_percent: float | None
    rss_bytes: int | None
    figures: dict[str, Any]

    @property
    def tone(self) -> str:
        """The colour of its dot."""
        return {"ready": "ok", "starting": "info", "lost": "bad"}.get(self.state, "warn")

    @property
    def shown_figures(self) -> list[tuple[str, Any]]:
        """What the role measures, plain values only, as the process named them."""
        return [
            (
                name.removesuffix("_per_s").replace("_", " ")
                + ("/s" if name.endswith("_per_s") else ""),
                value,
            )
            for name, value in self.figures.items()
            if name != "ready"
            and name not in SHOWN_BELOW
            and value != ""
            and isinstance(value, str | int | float)
            and not isinstance(value, bool)
        ]


@dataclass(frozen=True)
class Cluster:
    """All processes; `reachable` is False where the tasks server did not answer."""

    processes: list[Report]
    reachable: bool

    @property
    def lost(self) -> list[Report]:
        """Those whose report expired while they were expected."""
        return [p for p in self.processes if p.state == "lost"]


def read() -> Cluster:
    """Return every process, in the order of an article's way."""
    known = {(row.host, row.name): row for row in Process.objects.all()}
    try:
        alive = {(r["host"], r["name"]): r for r in heartbeat.read_all(settings.WIREROOM)}
        reachable = True
    except redis.RedisError:
        alive, reachable = {}, False
    found = [_report(report, str(report["state"])) for report in alive.values()]
    absent = "lost" if reachable else "unknown"
    found += [_report(row.report, absent) for key, row in known.items() if key not in alive]
    return Cluster(sorted(found, key=_order), reachable)


def _order(report: Report) -> tuple[int, str, str]:
    rank = names.ROLES.index(report.role) if report.role in names.ROLES else len(names.ROLES)
    return rank, report.name, report.host


def _report(raw: dict[str, Any], state: str) -> Report:
    since = raw.get("since")
    return Report(
        name=str(raw["name"]),
        role=str(raw["role"]),
        host=str(raw["host"]),
        state=state,
        pid=raw.get("pid"),
        since=datetime.fromtimestamp(since, UTC) if since else None,
        seen_at=datetime.fromtimestamp(raw["at"], UTC),
        cpu_percent=raw.get("cpu_percent"),
        rss_bytes=raw.get("rss_bytes"),
        figures=raw.get("figures") or {},
    )
