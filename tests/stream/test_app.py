"""Where the agents' consumer goes on after partitions have moved, on the real Kafka."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra import names
from infra.settings import Settings
from stream import app, consumer, kafka
from stream.consumer import seek_to_committed

PARTITIONS = (2, 3)
ARTICLES = 3  # in each


def publish(settings: Settings) -> None:
    producer = kafka.producer(settings)
    for partition in PARTITIONS:
        for _ in range(ARTICLES):
            topic = settings.topic(names.ARTICLES.name)
            producer.produce(topic, b"{}", b"uri", partition=partition)
    assert producer.flush(20) == 0


async def fetch(reader: AIOKafkaConsumer) -> dict[int, list[int]]:
    """Fetch until all partitions are read; return the offsets by partition."""
    found: dict[int, list[int]] = {partition: [] for partition in PARTITIONS}
    while any(not offsets or offsets[-1] < ARTICLES - 1 for offsets in found.values()):
        for place, records in (await reader.getmany(timeout_ms=100)).items():
            found[place.partition] += [record.offset for record in records]
    return found


async def fetch_seek_and_fetch(settings: Settings) -> dict[int, list[int]]:
    """Fetch everything, drop it, seek to what was committed, and return what is fetched then."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=f"{settings.topic_prefix}group",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await reader.start()
    try:
        places = [TopicPartition(settings.topic(names.ARTICLES.name), p) for p in PARTITIONS]
        reader.assign(places)
        await fetch(reader)
        await reader.commit({places[0]: 2})
        await seek_to_committed(reader)
        return await fetch(reader)
    finally:
        await reader.stop()


def test_what_was_fetched_and_dropped_is_fetched_again_also_without_a_commit(
    isolated: Settings,
) -> None:
    publish(isolated)
    fetched = asyncio.run(asyncio.wait_for(fetch_seek_and_fetch(isolated), 30))
    assert fetched == {2: [2], 3: [0, 1, 2]}


def test_the_app_seeks_that_way(isolated: Settings) -> None:
    async def reading() -> tuple[object, object]:
        with patch.object(app, "Agent"), patch.object(consumer, "ConsumerThread") as thread:
            built: Any = app.build(isolated)
            return built.consumer._thread, thread.return_value

    ours, thread = asyncio.run(reading())
    assert ours is thread
