"""Whether this machine's clock agrees with the servers': embargoes and stale marks depend on it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import redis
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaException, Message
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # re-exported without __all__

from infra.findings import Finding
from infra.servers import TIMEOUT_S
from infra.settings import Settings
from stream import kafka

TOLERANCE_S = 2.0
ADVICE = "let a time service (NTP) set both clocks"


def findings(settings: Settings) -> Iterator[Finding]:
    """Compare with the broker's append time and the tasks server's clock."""
    for name, measure in (("broker", _broker_ahead_s), ("tasks", _tasks_ahead_s)):
        try:
            ahead_s = measure(settings)
        except (KafkaException, kafka.KafkaUnavailable, redis.RedisError) as error:
            yield Finding("warn", f"clock of {name}", f"cannot be read: {error}")
            continue
        text = f"{ahead_s:+.1f} s against this machine's"
        if abs(ahead_s) > TOLERANCE_S:
            yield Finding("fail", f"clock of {name}", text, ADVICE)
        else:
            yield Finding("ok", f"clock of {name}", text)


def _broker_ahead_s(settings: Settings) -> float:
    """Return how far the broker's clock is ahead, by a message to a topic that is deleted again."""
    topic = settings.topic(f"wire.doctor.{uuid.uuid4().hex[:8]}")
    client = kafka.admin(settings)
    wanted = NewTopic(topic, 1, config={"message.timestamp.type": "LogAppendTime"})
    client.create_topics([wanted])[topic].result(kafka.ANSWER_S)
    stamps: list[tuple[int, int]] = []

    def delivered(_: object, message: Message) -> None:
        stamps.append(message.timestamp())

    try:
        producer = kafka.producer(settings, **{"message.timeout.ms": 5000, "linger.ms": 0})
        before = time.time()
        producer.produce(topic, value=b"", on_delivery=delivered)
        producer.flush(6)
        after = time.time()
    finally:
        client.delete_topics([topic])[topic].result(kafka.ANSWER_S)
    if not stamps or stamps[0][0] != TIMESTAMP_LOG_APPEND_TIME:
        raise kafka.KafkaUnavailable("the broker gave no append time")
    return _outside(stamps[0][1] / 1000, before, after)


def _tasks_ahead_s(settings: Settings) -> float:
    client = redis.Redis.from_url(
        settings.tasks, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )
    before = time.time()
    seconds, microseconds = client.time()
    return _outside(seconds + microseconds / 1e6, before, time.time())


def _outside(stamp: float, before: float, after: float) -> float:
    """Return how far a stamp lies outside the span in which it was made; 0 within."""
    return max(0.0, stamp - after) - max(0.0, before - stamp)
