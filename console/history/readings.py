"""The readings beside the topics: lag, ledger, which processes report; and the alerts from them."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any

import redis
from confluent_kafka import Consumer, Producer
from django.utils import timezone

from console.alerts.rules import Facts, Refused
from console.history.models import LagReading, LedgerReading, Process, Tick
from console.runs.models import Run
from infra import names
from infra.settings import Settings
from stream import account, accounting, heartbeat, kafka

log = logging.getLogger(__name__)

EXPECTED = timedelta(minutes=5)
"""A process that was silent for longer when the history starts is not expected back."""

REFUSED_SHOWN = timedelta(days=1)
LEDGER_FIGURES = [
    "inputs",
    "first_results",
    "later_revisions",
    "dead_letters",
    "kills",
    "duplicates",
    "held",
    "waiting",
    "difference",
]


def read_lag(settings: Settings, reader: Consumer) -> LagReading:
    """Read and store the agents' lag; raises kafka.KafkaUnavailable."""
    committed = account.committed(settings, range(names.PARTITIONS))
    span = kafka.bounds(reader, settings.topic(names.ARTICLES.name))
    partitions = [
        {
            "partition": p,
            "end": end,
            "committed": committed[p][0],
            "lag": max(0, end - max(committed[p][0], first)),
        }
        for p, (first, end) in sorted(span.items())
    ]
    reading = LagReading(
        at=timezone.now(), total=sum(p["lag"] for p in partitions), partitions=partitions
    )
    reading.save(force_insert=True)
    return reading


def read_ledger(settings: Settings) -> LedgerReading:
    """Compute and store the ledger; raises kafka.KafkaUnavailable."""
    ledger = accounting.ledger(settings)
    figures = {name: int(getattr(ledger, name)) for name in LEDGER_FIGURES}
    reading = LedgerReading(at=timezone.now(), **figures)
    reading.save(force_insert=True)
    return reading


def forget_absent() -> None:
    """Expect no process back that was silent for long before this start."""
    Process.objects.filter(seen_at__lt=timezone.now() - EXPECTED).delete()


def read_processes(settings: Settings) -> dict[str, str] | None:
    """Store who reports; return the role of each that has stopped to, None where nobody can say."""
    try:
        reports = heartbeat.read_all(settings)
    except redis.RedisError:
        return None
    now = timezone.now()
    Process.objects.bulk_create(
        [
            Process(host=r["host"], name=r["name"], role=r["role"], report=r, seen_at=now)
            for r in reports
        ],
        update_conflicts=True,
        unique_fields=["host", "name"],
        update_fields=["role", "report", "seen_at"],
    )
    alive = {(r["host"], r["name"]) for r in reports}
    known = Process.objects.values_list("host", "name", "role")
    return {name: role for host, name, role in known if (host, name) not in alive}


def gather(settings: Settings, lag: LagReading | None, lost: dict[str, str] | None) -> Facts:
    """Return the facts that the rules judge."""
    now = timezone.now()
    ledger = LedgerReading.objects.order_by("-at").first()
    return Facts(
        lag=lag.total if lag else None,
        lag_bound=settings.alert_lag,
        dead_letters_minute=_dead_letters(now),
        dead_letters_bound=settings.alert_dead_letters,
        ledger_difference=ledger.difference if ledger else None,
        lost=lost,
        refused=_refused(now),
    )


def _dead_letters(now: datetime) -> int:
    ticks = Tick.objects.filter(at__gte=now - timedelta(minutes=1), at__lte=now)
    return sum(ticks.values_list("dead_letters", flat=True))


def _refused(now: datetime) -> list[Refused]:
    """Return, for each job, the newest run that ended, where it was refused."""
    newest: dict[str, Run] = {}
    ended = (Run.State.REFUSED, Run.State.SUCCEEDED, Run.State.UNCHANGED)
    runs = Run.objects.filter(state__in=ended, created_at__gte=now - REFUSED_SHOWN)
    for run in runs.order_by("created_at"):
        newest[run.job] = run
    return [
        Refused(str(run.id), run.job, "; ".join((run.result or {}).get("reasons", [])) or "refused")
        for run in newest.values()
        if run.state == Run.State.REFUSED
    ]


class AlertTopic:
    """Publishes alerts; a broker that is away is tried for minutes, then the alert is only stored."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(names.ALERTS.name)
        self._producer: Producer = kafka.producer(settings)

    def publish(self, rule: str, message: dict[str, Any]) -> None:
        """Send one alert."""
        try:
            self._producer.produce(
                self._topic, key=rule.encode(), value=json.dumps(message).encode()
            )
            self._producer.poll(0)
        except BufferError:
            log.warning("the alert is stored but not published: %s", message["title"])

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        self._producer.flush(3)
