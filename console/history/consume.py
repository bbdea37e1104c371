"""Following the topics: read, turn into rows, write with the offsets, for ever.

1. read up to BATCH messages, committed ones alone, from the offsets that stand in the database
2. turn them into rows, without a database
3. write rows and offsets in one transaction; while the database is away, try again
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Message as KafkaMessage
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from console.history import rows as make
from console.history import store
from console.history.models import DeploymentRecord
from console.history.rows import Message, Rows
from infra import names
from infra.settings import Settings
from stream import kafka
from stream.deployments import Control

BATCH = 1_500  # messages of one transaction: large enough to be cheap, some 0.3 s of writing
WAIT_S = 0.4  # a smaller batch is written after this long
PAUSE_S = (0.5, 10.0)  # first and longest pause while the database or the broker is away
RATE_WINDOW_S = 10.0
AWAY = (OperationalError, InterfaceError)

log = logging.getLogger(__name__)
Add = Callable[[Rows, Message], None]


class History:
    """Reads the topics into the projections; for one thread."""

    def __init__(self, settings: Settings, stopping: threading.Event) -> None:
        self._settings = settings
        self._stopping = stopping
        self._adders: dict[str, Add] = {
            settings.topic(names.ARTICLES.name): make.add_article,
            settings.topic(names.CLASSIFICATIONS.name): make.add_classification,
            settings.topic(names.DEADLETTERS.name): make.add_dead_letter,
        }
        self._deployments = settings.topic(names.DEPLOYMENTS.name)
        self._control = Control()
        self._killed: set[str] = set()
        self._written: deque[tuple[float, int]] = deque()
        self.skipped: Counter[str] = Counter()
        self.messages = 0
        self.ready = False

    def run(self) -> None:
        """Follow the topics until told to stop."""
        pause = PAUSE_S[0]
        while not self._stopping.is_set():
            try:
                self._follow()
            except (*AWAY, kafka.KafkaUnavailable) as error:
                log.warning("the history starts again in %.1f s: %s", pause, error)
                connection.close()
                self._stopping.wait(pause)
                pause = min(2 * pause, PAUSE_S[1])
            else:
                pause = PAUSE_S[0]

    def figures(self) -> dict[str, object]:
        """Return what the heartbeat tells."""
        return {
            "ready": self.ready,
            "messages_per_s": self._rate(),
            "skipped": sum(self.skipped.values()),
        }

    def forget_old_kills(self) -> None:
        """Take over what the retention left of the kills."""
        self._killed = store.killed_uris()

    def _rate(self) -> float:
        since = time.monotonic() - RATE_WINDOW_S
        return round(sum(n for at, n in tuple(self._written) if at >= since) / RATE_WINDOW_S, 1)

    def _follow(self) -> None:
        reader = kafka.consumer(self._settings)
        try:
            reader.assign(self._assignment(reader))
            self._killed = store.killed_uris()
            self._control = Control()
            self.ready = True
            while not self._stopping.is_set():
                messages = reader.consume(BATCH, WAIT_S)
                if messages:
                    self._take(messages)
        finally:
            self.ready = False
            reader.close()

    def _assignment(self, reader: Consumer) -> list[TopicPartition]:
        """Return where to start: what the database says, the first offset where it says nothing.

        Offsets beyond a topic's end mean that the topic is another one than was read: then
        everything is read again.
        """
        known = store.positions()
        for topic in self._adders:
            for partition, (_, end) in kafka.bounds(reader, topic).items():
                if known.get((topic, partition), 0) > end:
                    log.warning("%s/%d ends before what was read: rebuilding", topic, partition)
                    store.forget_everything()
                    known = {}
        places = [
            TopicPartition(topic, p, known.get((topic, p), 0))
            for topic in self._adders
            for p in range(names.PARTITIONS)
        ]
        # Small and needed whole, to tell which records ran: from the beginning at every start.
        return [*places, TopicPartition(self._deployments, 0, 0)]

    def _take(self, messages: list[KafkaMessage]) -> None:
        rows = Rows()
        deployments: list[DeploymentRecord] = []
        offsets: dict[tuple[str, int], int] = {}
        for raw in messages:
            if error := raw.error():
                log.warning("reading: %s", error)  # librdkafka goes on by itself
                continue
            topic, partition, offset = raw.topic() or "", raw.partition() or 0, raw.offset() or 0
            try:
                if topic == self._deployments:
                    deployments += self._deployment(offset, raw)
                    continue
                self._adders[topic](rows, _message(raw))
            except Exception:  # one message must not stop the history of all others
                self.skipped[topic] += 1
                log.exception("%s %d/%d is left out", topic, partition, offset)
            offsets[topic, partition] = offset + 1
        self._write(rows, deployments, offsets)
        self._killed.update(rows.killed)
        self.messages += len(messages)
        self._written.append((time.monotonic(), len(messages)))
        while self._written and self._written[0][0] < time.monotonic() - RATE_WINDOW_S:
            self._written.popleft()

    def _deployment(self, offset: int, raw: KafkaMessage) -> list[DeploymentRecord]:
        record = self._control.apply(offset, raw.value())
        if record is None:
            return []
        deployment = record.deployment
        try:
            at = datetime.fromisoformat(deployment.at).astimezone(UTC)
        except ValueError:
            at = _moment(raw)
        return [
            DeploymentRecord(
                offset=offset,
                classifier=deployment.classifier[:100],
                champion=deployment.champion,
                based_on=deployment.based_on,
                by=deployment.by[:150],
                at=at,
                why=deployment.why,
                effective=record.effective,
            )
        ]

    def _write(
        self, rows: Rows, deployments: list[DeploymentRecord], offsets: dict[tuple[str, int], int]
    ) -> None:
        pause = PAUSE_S[0]
        while True:
            try:
                store.write(rows, deployments, offsets, self._killed)
                return
            except AWAY as error:
                log.warning("the database does not take a batch, again in %.1f s: %s", pause, error)
                connection.close()
                if self._stopping.wait(pause):
                    raise  # unwritten, and so are its offsets: it is read again at the next start
                pause = min(2 * pause, PAUSE_S[1])


def _message(raw: KafkaMessage) -> Message:
    pairs: list[tuple[str, Any]] = list(raw.headers() or [])  # type: ignore[arg-type]  # a union in its stubs
    return Message(
        partition=raw.partition() or 0,
        offset=raw.offset() or 0,
        at=_moment(raw),
        key=_bytes(raw.key()),
        value=_bytes(raw.value()),
        headers=[(key, _bytes(value)) for key, value in pairs],
    )


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else None


def _moment(raw: KafkaMessage) -> datetime:
    kind, milliseconds = raw.timestamp()
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if kind else timezone.now()
    except (OverflowError, ValueError, OSError):  # a producer may write any number
        return timezone.now()
