"""Publishing articles from outside the agents: idempotent, keyed by uri, at a rate if wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message

from infra import names
from infra.settings import Settings
from stream import kafka

SLICE_S = 0.02  # a rate is kept in slices of this length

Progress = Callable[[int], None]


class PublishFailed(RuntimeError):
    """The broker did not take an article for good; `published` were taken before."""

    def __init__(self, reason: str, published: int) -> None:
        super().__init__(reason)
        self.published = published


@dataclass(frozen=True)
class Item:
    """An article as bytes; `value` None kills the uri."""

    uri: str
    value: bytes | None


def publish(
    settings: Settings,
    items: Iterable[Item],
    *,
    rate: float | None = None,
    progress: Progress | None = None,
) -> int:
    """Publish `items` in order, at most `rate` a second, and return how many were acknowledged.

    Returns when the broker has acknowledged all. `progress` is called with the number sent so
    far. Raises PublishFailed.
    """
    failures: list[KafkaError] = []
    acknowledged = 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        nonlocal acknowledged
        if error is None:
            acknowledged += 1
        else:
            failures.append(error)

    producer = kafka.producer(settings)
    topic = settings.topic(names.ARTICLES.name)
    started = time.monotonic()
    for sent, item in enumerate(items):
        if rate:
            ahead_s = sent / rate - (time.monotonic() - started)
            if ahead_s > SLICE_S:
                producer.poll(ahead_s)
                # poll returns at the first report; the rest of the pause is slept
                left_s = sent / rate - (time.monotonic() - started)
                time.sleep(max(0.0, left_s))
        while True:
            try:
                producer.produce(
                    topic, key=item.uri.encode(), value=item.value, on_delivery=delivered
                )
                break
            except BufferError:
                producer.poll(0.1)  # the local queue is full: the broker is slower than we are
        producer.poll(0)
        if failures:
            raise PublishFailed(str(failures[0]), acknowledged)
        if progress:
            progress(sent + 1)
    left = producer.flush(kafka.ANSWER_S * 4)
    if failures or left:
        raise PublishFailed(str(failures[0]) if failures else f"{left} unanswered", acknowledged)
    return acknowledged
