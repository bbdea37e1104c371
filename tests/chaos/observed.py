"""What a subscriber sees: both output topics, read_committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition

from tests.chaos.expected import Expected, Outcome, Place
from tests.chaos.feeder import TOPIC as INPUT

RESULTS = "wire.classifications.v1"
DEADLETTERS = "wire.deadletters.v1"
PARTITIONS = 8
SILENCE_S = 30.0


@dataclass(frozen=True)
class Seen:
    """One message that came out; `subjects` as in the result, times in seconds since 1970."""

    topic: str
    partition: int
    offset: int
    origin: Place
    outcome: Expected
    classified_at: float
    seen_at: float
    subjects: list[dict[str, Any]] = field(default_factory=list)
    degraded: bool = False


def consumer(kafka: str, *, committed: bool = True) -> Consumer:
    """Return a consumer that sees committed messages only, or all."""
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "chaos-reader",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 20_000_000,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 2,
        }
    )


class Watcher(threading.Thread):
    """The verifier that reads while it happens."""

    def __init__(self, kafka: str, start: dict[tuple[str, int], int]) -> None:
        super().__init__(name="watcher", daemon=True)
        self._consumer = consumer(kafka)
        self._start_at = start
        self._closing = threading.Event()
        self.seen: list[Seen] = []

    def run(self) -> None:
        """Read until closed."""
        self._consumer.assign([TopicPartition(t, p, o) for (t, p), o in self._start_at.items()])
        while not self._closing.is_set():
            for message in self._consumer.consume(500, 0.02):
                if message.error() is None:
                    self.seen.append(parse(message))
        self._consumer.close()

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        self.join()


def read_after(kafka: str, start: dict[tuple[str, int], int]) -> list[Seen]:
    """Be the verifier that reads when all is over, from `start` to the last stable offsets."""
    ends = stable_ends(kafka, [RESULTS, DEADLETTERS])
    return [parse(message) for message in read(kafka, start, ends)]


def read(
    kafka: str, start: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]
) -> Iterator[Message]:
    """Yield the committed messages from `start` to `ends`, by topic and partition."""
    reader = consumer(kafka)
    left = {place: end for place, end in ends.items() if end > start[place]}
    reader.assign([TopicPartition(t, p, start[t, p]) for t, p in left])
    heard_at = time.monotonic()
    while left:
        for message in reader.consume(1_000, 0.1):
            if message.error() is None:
                heard_at = time.monotonic()
                yield message
        for place in reader.position([TopicPartition(t, p) for t, p in left]):
            if place.offset >= left[place.topic, place.partition]:
                del left[place.topic, place.partition]
        if time.monotonic() - heard_at > SILENCE_S:
            raise TimeoutError(f"nothing came for {SILENCE_S} s, still waiting for {left}")
    reader.close()


def stable_ends(
    kafka: str, topics: list[str], *, committed: bool = True
) -> dict[tuple[str, int], int]:
    """Return the last stable offsets, or with `committed` false the end offsets."""
    reader = consumer(kafka, committed=committed)
    try:
        return {
            (topic, p): reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
            for topic in topics
            for p in range(PARTITIONS)
        }
    finally:
        reader.close()


def open_transactions(kafka: str) -> dict[str, int]:
    """Return, by topic and partition, how far the last stable offset lies behind the end."""
    topics = [INPUT, RESULTS, DEADLETTERS]
    ends = stable_ends(kafka, topics, committed=False)
    stable = stable_ends(kafka, topics)
    return {f"{t}/{p}": end - stable[t, p] for (t, p), end in ends.items() if end != stable[t, p]}


def parse(message: Message) -> Seen:
    """Read one message of either output topic."""
    topic, value = message.topic() or "", message.value()
    pairs: list[tuple[str, Any]] = list(message.headers() or [])  # type: ignore[arg-type]  # a union in its stubs
    headers = {key: _bytes(v) for key, v in pairs}
    uri = (_bytes(message.key()) or b"").decode("utf-8", "replace")
    kind: Outcome = "result"
    fields: dict[str, Any] = {}
    if topic == DEADLETTERS:
        kind = "deadletter"
        partition, offset = (
            int(headers[f"__streams.errors.{name}"] or b"-1") for name in ("partition", "offset")
        )
    elif value is None:
        kind = "tombstone"
        partition, offset = map(int, (headers["wire-origin"] or b"-1/-1").split(b"/"))
    else:
        fields = msgspec.json.decode(value)
        partition, offset = fields["origin"]["partition"], fields["origin"]["offset"]
    return Seen(
        topic,
        message.partition() or 0,
        message.offset() or 0,
        (partition, offset),
        _outcome(kind, uri, fields),
        _moment(fields, headers),
        time.time(),
        fields.get("subjects", []),
        fields.get("degraded", False),
    )


def _outcome(kind: Outcome, uri: str, fields: dict[str, Any]) -> Expected:
    if not fields:
        return Expected(kind, uri)
    replaced = fields["supersedes"]
    return Expected(
        kind,
        fields["uri"],
        fields["version"],
        fields["revision"],
        fields["digest"],
        fields["stale"],
        (replaced["version"], replaced["revision"]) if replaced else None,
    )


def _moment(fields: dict[str, Any], headers: dict[str, bytes | None]) -> float:
    written = fields.get("classified_at") or (headers.get("ce_time") or b"").decode()
    return datetime.fromisoformat(written).timestamp() if written else 0.0


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
