"""The ledger on a real Valkey, and read back from the real results topic when that lost it."""

from __future__ import annotations

from typing import Any

import redis

from infra import names
from infra.settings import Settings
from ml.messages import Classification, Origin, Supersedes, encode
from stream import kafka
from stream.ledger import Entry, Ledger, Seen

PARTITION = 3
MAY_2 = "2026-05-02T00:00:00.000Z"
MAY_2_S = 1_777_680_000.0
OLD = Entry(Seen(1, 1, "a" * 32))
NEW = Entry(Seen(2, 1, "b" * 32), older=(Seen(1, 1, "a" * 32),))


def result(uri: str, version: int, digest: str, **fields: Any) -> bytes:
    """Return a result as it stands on the topic."""
    return encode(
        Classification(
            uri=uri,
            version=version,
            revision=fields.pop("revision", 1),
            digest=digest,
            language=None,
            source=None,
            published_at=None,
            classified_at=MAY_2,
            origin=Origin(PARTITION, 0),
            subjects=[],
            **fields,
        )
    )


def publish(settings: Settings, *messages: tuple[str, bytes | None, str | None]) -> int:
    """Write uri, value and date of results; return the offset after the last."""
    producer = kafka.producer(settings)
    topic = settings.topic(names.CLASSIFICATIONS.name)
    for uri, value, created in messages:
        headers: dict[str, str | bytes | None] = {"wire-created": created} if created else {}
        producer.produce(topic, value, uri.encode(), partition=PARTITION, headers=headers)
    assert producer.flush(20) == 0
    reader = kafka.consumer(settings)
    try:
        return kafka.bounds(reader, topic)[PARTITION][1]
    finally:
        reader.close()


def tasks(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.tasks)


def lose_everything(settings: Settings) -> None:
    """Empty the server of this test's keys."""
    with tasks(settings) as server:
        for key in server.scan_iter(f"wire:{settings.topic_prefix}*"):
            server.delete(key)


def test_what_one_agent_records_another_knows(isolated: Settings) -> None:
    end = publish(isolated, ("a", result("a", 1, "a" * 32), None))
    Ledger(isolated).record(PARTITION, end, {"a": OLD})
    assert Ledger(isolated).entries([PARTITION], ["a", "unknown"]) == {"a": OLD}


def test_an_agent_that_lost_its_partitions_cannot_overwrite_its_successor(
    isolated: Settings,
) -> None:
    frozen, successor = Ledger(isolated), Ledger(isolated)
    successor.record(PARTITION, 20, {"a": NEW})
    frozen.record(PARTITION, 10, {"a": OLD, "b": OLD})
    with tasks(isolated) as server:
        assert server.get(names.ledger_position_key(isolated.topic_prefix, PARTITION)) == b"20"
        assert server.get(names.ledger_key(isolated.topic_prefix, "b")) is None
    assert successor.entries([PARTITION], ["a", "b"]) == {"a": NEW}


def test_a_server_that_lost_everything_is_filled_from_the_results(isolated: Settings) -> None:
    end = publish(
        isolated,
        ("a", result("a", 1, "a" * 32), None),
        ("a", result("a", 2, "b" * 32, supersedes=Supersedes(1, 1)), MAY_2),
        ("a", result("a", 1, "c" * 32, revision=2, stale=True), None),
        ("killed", result("killed", 1, "d" * 32), None),
        ("killed", None, None),
    )
    ledger = Ledger(isolated)
    ledger.record(PARTITION, end, {"a": OLD})
    lose_everything(isolated)
    assert ledger.entries([PARTITION], ["a", "killed", "unknown"]) == {
        "a": Entry(Seen(2, 1, "b" * 32), MAY_2_S, (Seen(1, 2, "c" * 32),)),
        "killed": Entry(Seen(1, 1, "d" * 32), killed=True),
    }
    with tasks(isolated) as server:
        position = server.get(names.ledger_position_key(isolated.topic_prefix, PARTITION))
        assert position == str(end).encode()


def test_only_what_lies_behind_the_position_is_read_again(isolated: Settings) -> None:
    end = publish(isolated, ("a", result("a", 1, "a" * 32), None))
    Ledger(isolated).record(PARTITION, end, {})  # whatever the topic says
    publish(isolated, ("b", result("b", 1, "b" * 32), None))
    known = Ledger(isolated).entries([PARTITION], ["a", "b"])
    assert known == {"b": Entry(Seen(1, 1, "b" * 32))}


def test_what_is_on_its_way_is_known_until_it_is_recorded(isolated: Settings) -> None:
    ledger = Ledger(isolated)
    ledger.promise({"a": OLD})
    assert ledger.entries([PARTITION], ["a"]) == {"a": OLD}
    ledger.promise({"a": NEW})
    ledger.record(PARTITION, 1, {"a": OLD})
    assert ledger.entries([PARTITION], ["a"]) == {"a": NEW}
    ledger.forget_positions()
    assert ledger.entries([PARTITION], ["a"]) == {"a": OLD}
