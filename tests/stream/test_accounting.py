"""The ledger's identity, counted from real topics: exact, at any moment, and it shows a fault."""

from __future__ import annotations

import asyncio
import itertools
import threading

from infra import names
from infra.settings import Settings
from ml.messages import Classification, Origin, Supersedes, encode
from stream import accounting, kafka
from stream.account import Outcome, count
from stream.outputs import Output
from stream.pipeline import Batch
from tests.stream.delivering import HELD, delivering, member

LOOKS = 15
EVERY: tuple[Outcome, ...] = ("first", "revision", "deadletter", "kill", "duplicate", "held")


def publish_articles(settings: Settings, partition: int, count: int) -> None:
    """Write so many articles to one partition; what stands in them is not counted."""
    producer = kafka.producer(settings)
    for _ in range(count):
        producer.produce(settings.topic(names.ARTICLES.name), b"{}", b"uri", partition=partition)
    assert producer.flush(20) == 0


def output(settings: Settings, outcome: Outcome, partition: int, offset: int) -> Output | None:
    """Return what the pipeline sends for such an article, None for a duplicate."""
    origin = [("wire-origin", f"{partition}/{offset}".encode())]
    if outcome == "duplicate":
        return None
    if outcome == "deadletter":
        error = "__streams.errors."
        told = {"topic": settings.topic(names.ARTICLES.name), "partition": partition}
        headers = [
            (error + name, str(v).encode()) for name, v in {**told, "offset": offset}.items()
        ]
        return Output(settings.topic(names.DEADLETTERS.name), partition, b"uri", b"", headers)
    if outcome == "held":
        return Output(settings.topic(names.HELD.name), partition, b"uri", b"{}", origin)
    results = settings.topic(names.CLASSIFICATIONS.name)
    if outcome == "kill":
        return Output(results, partition, b"uri", None, origin, is_result=True)
    value = result(partition, offset, is_first=outcome == "first")
    return Output(results, partition, b"uri", value, [], is_result=True)


def result(partition: int, offset: int, *, is_first: bool) -> bytes:
    return encode(
        Classification(
            uri="uri",
            version=1 if is_first else 2,
            revision=1,
            digest="a" * 32,
            language=None,
            source=None,
            published_at=None,
            classified_at="2026-05-02T00:00:00.000Z",
            origin=Origin(partition, offset),
            subjects=[],
            supersedes=None if is_first else Supersedes(1, 1),
        )
    )


def batch(settings: Settings, first: int, outcomes: list[Outcome]) -> Batch:
    """Return a batch in which every held partition has these outcomes from offset `first` on."""
    outputs = [
        sent
        for partition in HELD
        for n, outcome in enumerate(outcomes)
        if (sent := output(settings, outcome, partition, first + n)) is not None
    ]
    accounts = dict.fromkeys(HELD, count(outcomes))
    return Batch(outputs, {}, accounts, dict.fromkeys(HELD, first + len(outcomes)), {}, {})


def deliver(settings: Settings, one: Batch) -> None:
    """Commit a batch as an agent that has just started."""
    with member(settings) as consumer:
        membership = consumer.consumer_group_metadata()
        asyncio.run(delivering(settings).deliver(one, membership))


def test_every_outcome_is_counted_and_what_is_left_waits(isolated: Settings) -> None:
    for partition in (*HELD, 5):
        publish_articles(isolated, partition, 8)
    deliver(isolated, batch(isolated, 0, list(EVERY)))
    ledger = accounting.ledger(isolated)
    assert ledger.as_dict() | {"partitions": None} == {
        "inputs": 24,
        "first_results": 2,
        "later_revisions": 2,
        "dead_letters": 2,
        "kills": 2,
        "duplicates": 2,
        "held": 2,
        "waiting": 12,
        "expired": 0,
        "difference": 0,
        "partitions": None,
    }
    assert [p.waiting for p in ledger.partitions] == [2, 2, 0, 0, 0, 8, 0, 0]


def test_the_difference_is_0_at_any_moment_under_load(isolated: Settings) -> None:
    begun, stopping = threading.Event(), threading.Event()
    delivered = itertools.count()

    def answer() -> None:
        transactions = delivering(isolated)
        with member(isolated) as consumer:
            for n in delivered:
                for partition in HELD:
                    publish_articles(isolated, partition, len(EVERY))
                if stopping.is_set():
                    return
                ours = batch(isolated, n * len(EVERY), list(EVERY))
                asyncio.run(transactions.deliver(ours, consumer.consumer_group_metadata()))
                begun.set()

    agent = threading.Thread(target=answer)
    agent.start()
    try:
        assert begun.wait(30)
        looks = [accounting.ledger(isolated) for _ in range(LOOKS)]
    finally:
        stopping.set()
        agent.join()
    assert [look.difference for look in looks] == [0] * LOOKS
    assert looks[-1].first_results > looks[0].first_results


def test_a_result_that_is_missing_is_a_difference_of_one(isolated: Settings) -> None:
    for partition in HELD:
        publish_articles(isolated, partition, 2)
    whole = batch(isolated, 0, ["first", "revision"])
    torn = Batch(whole.outputs[1:], {}, whole.accounts, whole.next_offsets, {}, {})
    assert _difference_after(isolated, torn) == 1


def test_a_result_told_twice_is_a_difference_below_zero(isolated: Settings) -> None:
    for partition in HELD:
        publish_articles(isolated, partition, 2)
    whole = batch(isolated, 0, ["first", "revision"])
    doubled = Batch(
        whole.outputs[:1] + whole.outputs, {}, whole.accounts, whole.next_offsets, {}, {}
    )
    assert _difference_after(isolated, doubled) == -1


def _difference_after(settings: Settings, one: Batch) -> int:
    deliver(settings, one)
    return accounting.ledger(settings).difference
