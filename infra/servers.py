"""What the doctor asks the servers that run: whether they answer, and are set up as we need them."""

from __future__ import annotations

from collections.abc import Iterator

import redis

from infra import names
from infra.findings import Finding
from infra.settings import Settings
from stream import kafka

TIMEOUT_S = 3.0


def kafka_findings(settings: Settings) -> Iterator[Finding]:
    """Tell whether the broker answers."""
    try:
        count = len(kafka.partition_counts(settings))
    except kafka.KafkaUnavailable as error:
        yield Finding("fail", "broker", str(error), "see logs/broker.log, or WIREROOM_KAFKA")
    else:
        yield Finding("ok", "broker", f"{settings.kafka} answers, {count} topics")


def topic_findings(settings: Settings) -> Iterator[Finding]:
    """Tell whether the topics are there with their partitions."""
    try:
        found = kafka.partition_counts(settings)
    except kafka.KafkaUnavailable:
        return  # said already
    wrong = [
        f"{settings.topic(t.name)}: {found.get(settings.topic(t.name), 0)} partitions, "
        f"expected {t.partitions}"
        for t in names.TOPICS
        if found.get(settings.topic(t.name)) != t.partitions
    ]
    if wrong:
        advice = "partitions are fixed at creation: use another WIREROOM_TOPIC_PREFIX"
        yield Finding("fail", "topics", "; ".join(wrong), advice)
    else:
        yield Finding("ok", "topics", f"{len(names.TOPICS)} with the right partitions")


def redis_findings(settings: Settings) -> Iterator[Finding]:
    """Tell whether the cache may evict and the tasks server must not."""
    for name, address, must_keep in (
        ("cache", settings.cache, False),
        ("tasks", settings.tasks, True),
    ):
        client = redis.Redis.from_url(
            address,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
        )
        try:
            policy = str(client.info("memory")["maxmemory_policy"])
        except redis.RedisError as error:
            yield Finding("fail", name, f"{address}: {error}", f"see logs/{name}.log")
            continue
        if must_keep and policy != "noeviction":
            yield Finding(
                "fail", name, f"{address} evicts ({policy})", "set maxmemory-policy noeviction"
            )
        elif not must_keep and policy == "noeviction":
            yield Finding(
                "warn", name, f"{address} never evicts", "set maxmemory-policy allkeys-lru"
            )
        else:
            yield Finding("ok", name, f"{address} answers, {policy}")
