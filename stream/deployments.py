"""What runs: the control topic, read and written.

`wire.deployments.v1` has one partition and is kept for ever, so its history is the truth. The
newest effective record of a classifier is what runs. A record names the offset of the record that
it replaces (`based_on`); one based on anything else is stale and never becomes effective, so two
operators who press the button at the same time do not make two champions. Rolling back is
publishing one more record.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from confluent_kafka import KafkaException, Message, TopicPartition

from infra import names
from infra.settings import Settings
from ml.messages import Deployment, decode_deployment, encode, timestamp
from stream import kafka

log = logging.getLogger(__name__)


class StaleDeployment(RuntimeError):
    """Somebody else changed the deployment in the meantime: look again, then decide."""


@dataclass(frozen=True)
class Record:
    """One record of the control topic; `effective` tells whether it ever ran."""

    offset: int
    deployment: Deployment
    effective: bool


class Control:
    """The control topic replayed: feed it every message in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._current: dict[str, Record] = {}

    def apply(self, offset: int, value: bytes | None) -> Record | None:
        """Add one message; return its record, None where it is no deployment at all."""
        try:
            deployment = decode_deployment(value or b"")
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            log.warning("deployment at offset %d cannot be read: %s", offset, error)
            return None
        last = self._current.get(deployment.classifier)
        effective = deployment.based_on == (last.offset if last else None)
        record = Record(offset, deployment, effective)
        self.records.append(record)
        if effective:
            self._current[deployment.classifier] = record
        return record

    @property
    def current(self) -> dict[str, Record]:
        """The record that runs of each classifier, those taken out of service included."""
        return dict(self._current)

    @property
    def champions(self) -> dict[str, str]:
        """The model version that answers for each classifier in service."""
        return {
            name: record.deployment.champion
            for name, record in sorted(self._current.items())
            if record.deployment.champion is not None
        }


def read(settings: Settings) -> Control:
    """Return the control topic as it stands; raises kafka.KafkaUnavailable."""
    return replay(kafka.read_to_end(settings, settings.topic(names.DEPLOYMENTS.name), partitions=1))


def replay(messages: Iterable[Message]) -> Control:
    """Return the state after `messages`, in their order."""
    control = Control()
    for message in messages:
        control.apply(message.offset() or 0, message.value())
    return control


def publish(
    settings: Settings,
    classifier: str,
    champion: str | None,
    *,
    by: str,
    why: str = "",
    based_on: int | None,
) -> int:
    """Deploy `champion` (None: take the classifier out of service) and return the record's offset.

    `based_on` is the offset of the record that the operator saw, None for a first deployment.
    Raises StaleDeployment where another record was effective first, kafka.KafkaUnavailable.
    """
    deployment = Deployment(
        classifier=classifier,
        champion=champion,
        based_on=based_on,
        by=by,
        at=timestamp(datetime.now(UTC)),
        why=why,
    )
    sent: list[tuple[Any, Message]] = []
    producer = kafka.producer(settings, **{"message.timeout.ms": int(kafka.ANSWER_S * 1000)})
    producer.produce(
        settings.topic(names.DEPLOYMENTS.name),
        key=classifier.encode(),
        value=encode(deployment),
        on_delivery=lambda error, message: sent.append((error, message)),
    )
    producer.flush(kafka.ANSWER_S + 1)
    if not sent or sent[0][0] is not None:
        raise kafka.KafkaUnavailable(
            f"the deployment of {classifier} was not written: {sent[0][0] if sent else 'timeout'}"
        )
    offset = int(sent[0][1].offset() or 0)
    control = read(settings)
    mine = next(record for record in control.records if record.offset == offset)
    if not mine.effective:
        now = control.current[classifier]
        raise StaleDeployment(
            f"{classifier} was changed by {now.deployment.by} at {now.deployment.at} to "
            f"{now.deployment.champion}; nothing was changed by you"
        )
    return offset


class Watch:
    """The control topic followed by one process: `poll()` between two batches.

    The first `poll` reads to the end before it returns, so that no batch runs with less than
    what was deployed before it.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(names.DEPLOYMENTS.name)
        self._settings = settings
        self.control = Control()
        self._consumer = kafka.consumer(settings)
        self._next = 0
        self._caught_up = False

    def poll(self) -> bool:
        """Apply what is new and return whether anything was; raises kafka.KafkaUnavailable."""
        if not self._caught_up:
            return self._catch_up()
        changed = False
        for message in self._consumer.consume(100, 0):
            if message.error():
                continue  # librdkafka goes on by itself; the last state serves meanwhile
            changed |= self._apply(message)
        return changed

    def _catch_up(self) -> bool:
        changed = False
        for message in kafka.read_to_end(self._settings, self._topic, partitions=1):
            changed |= self._apply(message)
        self._consumer.assign([TopicPartition(self._topic, 0, self._next)])
        self._caught_up = True
        return changed

    def _apply(self, message: Message) -> bool:
        offset = message.offset() or 0
        self._next = offset + 1
        record = self.control.apply(offset, message.value())
        return record is not None and record.effective

    def close(self) -> None:
        """Leave the topic."""
        try:
            self._consumer.close()
        except KafkaException as error:
            log.warning("closing the control topic: %s", error)
