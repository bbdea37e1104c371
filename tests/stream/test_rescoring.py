"""Which articles are published again, on the real Kafka; the engine's word comes from the tasks server."""

from __future__ import annotations

from typing import Any

import psutil
from confluent_kafka import Message

from infra import names
from infra.settings import Settings
from ml.messages import Classification, Origin, encode
from stream import heartbeat, kafka, originals
from stream.rescoring import rescore

PARTITION = 3


def tell(settings: Settings, away: list[str]) -> None:
    """Report an engine as it does itself."""
    figures = {"ready": True, "away": away}
    with heartbeat.connect(settings) as client:
        heartbeat.report(client, settings, psutil.Process(), "engine", "engine", figures)


def publish(settings: Settings, topic: names.Topic, *messages: tuple[str, bytes | None]) -> None:
    """Write uris and values to one partition, with a header of the producer's own."""
    producer = kafka.producer(settings)
    for uri, value in messages:
        producer.produce(
            settings.topic(topic.name),
            value,
            uri.encode(),
            partition=PARTITION,
            headers=[("traceparent", b"00-1-2-01"), ("wire-reason", b"redrive")],
        )
    assert producer.flush(20) == 0


def result(uri: str, offset: int, **fields: Any) -> tuple[str, bytes]:
    """Return the result of the article at `offset`."""
    told = Classification(
        uri=uri,
        version=1,
        revision=1,
        digest="d" * 32,
        language=None,
        source='"degraded":true',
        published_at=None,
        classified_at="2026-05-02T00:00:00.000Z",
        origin=Origin(PARTITION, offset),
        subjects=[],
        **fields,
    )
    return uri, encode(told)


def articles(settings: Settings) -> list[Message]:
    return list(kafka.read_to_end(settings, settings.topic(names.ARTICLES.name)))


def test_the_newest_degraded_results_have_their_articles_published_again(
    isolated: Settings,
) -> None:
    uris = ("sound", "degraded", "mended", "killed", "late")
    publish(isolated, names.ARTICLES, *((uri, f"text of {uri}".encode()) for uri in uris))
    publish(
        isolated,
        names.CLASSIFICATIONS,
        result("sound", 0),
        result("degraded", 1, degraded=True),
        result("mended", 2, degraded=True),
        result("killed", 3, degraded=True),
        result("mended", 2),
        ("killed", None),
        result("late", 4, degraded=True, stale=True),
    )
    assert rescore(isolated) is None  # nobody reports an engine
    tell(isolated, ["minilm-l6+17e1"])
    assert rescore(isolated) is None
    tell(isolated, [])
    assert rescore(isolated) == 1
    [again] = articles(isolated)[len(uris) :]
    assert (again.key(), again.value()) == (b"degraded", b"text of degraded")
    assert again.partition() == PARTITION
    assert again.headers() == [("traceparent", b"00-1-2-01"), ("wire-reason", b"rescore")]

    assert rescore(isolated) == 0
    publish(isolated, names.CLASSIFICATIONS, result("sound", 0, degraded=True))
    assert rescore(isolated) == 1


def test_records_are_read_by_their_places_and_those_that_are_gone_left_out(
    isolated: Settings,
) -> None:
    publish(isolated, names.ARTICLES, *((str(n), str(n).encode()) for n in range(20)))
    topic = isolated.topic(names.ARTICLES.name)
    places = [(PARTITION, 17), (PARTITION, 2), (PARTITION, 40), (PARTITION + 1, 0)]
    assert [m.value() for m in originals.read(isolated, topic, places)] == [b"2", b"17"]
