"""Answering degraded results again, once the encoder is back.

A standby's result that is still the newest of its uri has its article published again, unchanged
but for a header that says why, to the partition it came from: the uri's one writer makes the next
revision of it, in its order. What has been answered otherwise since, he counts as a duplicate. Of
each part of the results topic:

1. Its degraded results are found, and the articles they were made from are read.
2. Those are published, and acknowledged.
3. The group's offset moves on.

A crash in between publishes some twice, which gives duplicates and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra import names
from infra.settings import Settings
from ml.messages import decode_classification
from stream import heartbeat, kafka, originals
from stream.dead_letters import Headers
from stream.originals import Place
from stream.publisher import PublishFailed

AT_ONCE = 2_000  # results of one part
MARK = b'"degraded":true'
"""In a degraded result's bytes and in no other's: quotes within a text are escaped."""

log = logging.getLogger(__name__)


def rescore(settings: Settings) -> int | None:
    """Publish the articles of new degraded results again; return how many.

    None, and nothing is read, where an engine does not report or an encoder is away. Raises
    KafkaUnavailable, PublishFailed and redis.RedisError.
    """
    if not engines_are_back(settings):
        return None
    topic = settings.topic(names.CLASSIFICATIONS.name)
    group = kafka.consumer(settings, settings.topic_prefix + names.RESCORING_GROUP)
    published = 0
    try:
        start = _committed(group, topic)
        results = kafka.read_to_end(settings, topic, start=start)
        while part := list(islice(results, AT_ONCE)):
            if places := newest_degraded(part):
                if not engines_are_back(settings):
                    return published
                published += _publish(settings, places)
            _commit(group, topic, part)
    finally:
        group.close()
    if published:
        log.warning("%d articles with degraded results are published again", published)
    return published


def engines_are_back(settings: Settings) -> bool:
    """Tell whether there is an engine, and none has an encoder that is away."""
    figures = [r["figures"] for r in heartbeat.read_all(settings) if r["role"] == "engine"]
    return bool(figures) and not any(told.get("away") for told in figures)


def newest_degraded(results: Iterable[Message]) -> list[Place]:
    """Return where the articles lie whose newest result among `results` is degraded."""
    found: dict[object, Place] = {}
    for message in results:
        uri, value = message.key(), message.value()
        if value is None:
            found.pop(uri, None)
        elif MARK in value or uri in found:
            result = decode_classification(value)
            if result.stale:
                continue
            if result.degraded:
                found[uri] = result.origin.partition, result.origin.offset
            else:
                found.pop(uri, None)
    return sorted(found.values())


def _committed(group: Consumer, topic: str) -> dict[int, int]:
    wanted = [TopicPartition(topic, p) for p in range(names.PARTITIONS)]
    try:
        places = group.committed(wanted, timeout=kafka.ANSWER_S)
    except KafkaException as error:
        raise kafka.KafkaUnavailable(f"committed offsets of rescoring: {error}") from error
    return {place.partition: max(0, place.offset) for place in places}


def _commit(group: Consumer, topic: str, part: Sequence[Message]) -> None:
    ends = {kafka.place(message)[0]: kafka.place(message)[1] + 1 for message in part}
    offsets = [TopicPartition(topic, p, end) for p, end in ends.items()]
    try:
        group.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:
        raise kafka.KafkaUnavailable(f"rescoring could not commit: {error}") from error


def _publish(settings: Settings, places: Sequence[Place]) -> int:
    """Publish the articles at `places` again and return how many are still there."""
    topic = settings.topic(names.ARTICLES.name)
    producer = kafka.producer(settings)
    failures: list[KafkaError] = []
    count = 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    for article in originals.read(settings, topic, places):
        count += 1
        while True:
            try:
                producer.produce(
                    topic,
                    article.value(),
                    article.key(),
                    partition=kafka.place(article)[0],
                    headers=list(_headers(article)),
                    on_delivery=delivered,
                )
                break
            except BufferError:
                producer.poll(0.1)  # the local queue is full: the broker is slower than we are
        producer.poll(0)
    left = producer.flush(kafka.ANSWER_S * 4)
    if failures or left:
        raise PublishFailed(str(failures[0]) if failures else f"{left} unanswered", count - left)
    return count


def _headers(article: Message) -> Iterator[tuple[str, bytes]]:
    given: Headers = list(article.headers() or [])  # type: ignore[arg-type]  # a union in its stubs
    yield from (pair for pair in given if pair[0] != names.REASON_HEADER)
    yield names.REASON_HEADER, names.RESCORE.encode()
