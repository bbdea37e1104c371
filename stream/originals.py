"""Reading records again by their place on a topic: the article that a result was made from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from confluent_kafka import Consumer, Message, TopicPartition

from infra.settings import Settings
from stream import kafka

AT_ONCE = 500
POLL_S = 0.05

Place = tuple[int, int]
"""Partition and offset."""


def read(settings: Settings, topic: str, places: Iterable[Place]) -> Iterator[Message]:
    """Yield the messages at these places, partition by partition in their order.

    What retention has taken is left out. What lies between them is read too, so ask for places
    near each other. Raises KafkaUnavailable.
    """
    wanted: dict[int, set[int]] = {}
    for partition, offset in places:
        wanted.setdefault(partition, set()).add(offset)
    reader = kafka.consumer(settings)
    try:
        bounds = kafka.bounds(reader, topic)
        for partition, offsets in sorted(wanted.items()):
            first, end = bounds[partition]
            if left := {offset for offset in offsets if first <= offset < end}:
                reader.assign([TopicPartition(topic, partition, min(left))])
                yield from _read(reader, topic, left)
    finally:
        reader.close()


def _read(reader: Consumer, topic: str, left: set[int]) -> Iterator[Message]:
    """Yield the messages at offsets `left` of the partition that `reader` was given."""
    last = max(left)
    deadline = time.monotonic() + kafka.ANSWER_S
    while True:
        for message in reader.consume(AT_ONCE, POLL_S):
            if error := message.error():
                raise kafka.KafkaUnavailable(f"reading {topic}: {error}")
            deadline = time.monotonic() + kafka.ANSWER_S
            _, offset = kafka.place(message)
            if offset in left:
                yield message
            if offset >= last:
                return
        if time.monotonic() > deadline:
            raise kafka.KafkaUnavailable(f"reading {topic}: nothing came for {kafka.ANSWER_S} s")
