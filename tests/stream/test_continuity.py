"""That an agent gets every message once, on the real Kafka."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from infra import names
from infra.settings import Settings
from stream import kafka
from stream.continuity import Continuity, Discontinuity

P = 3


def publish(settings: Settings, count: int, *, transaction: str | None = None) -> None:
    producer = kafka.producer(
        settings, **({"transactional.id": transaction} if transaction else {})
    )
    if transaction:
        producer.init_transactions(20)
        producer.begin_transaction()
    for _ in range(count):
        producer.produce(settings.topic(names.ARTICLES.name), b"{}", b"uri", partition=P)
    if transaction:
        producer.commit_transaction(20)
    assert producer.flush(20) == 0


def at(*offsets: int) -> Iterable[tuple[int, int]]:
    return [(P, offset) for offset in offsets]


@pytest.fixture
def continuity(isolated: Settings) -> Continuity:
    publish(isolated, 4)
    return Continuity(isolated)


def test_messages_in_a_row_from_the_committed_offset_are_right(continuity: Continuity) -> None:
    continuity.assigned({P: 1})
    continuity.check(at(1, 2))
    continuity.check(at(3))


def test_a_partition_without_a_commit_begins_at_its_first_message(continuity: Continuity) -> None:
    continuity.assigned({P: -1})
    continuity.check(at(0, 1))


@pytest.mark.parametrize("committed", [-1, 0, 1])
def test_a_message_left_out_at_the_beginning_is_noticed(
    continuity: Continuity, committed: int
) -> None:
    continuity.assigned({P: committed})
    with pytest.raises(Discontinuity, match=f"3/{max(0, committed)} was left out before 2"):
        continuity.check(at(2))


def test_a_message_answered_already_is_noticed(continuity: Continuity) -> None:
    continuity.assigned({P: 2})
    with pytest.raises(Discontinuity, match="3/1 is answered already"):
        continuity.check(at(1))
    continuity.assigned({P: 0})
    continuity.check(at(0, 1))
    with pytest.raises(Discontinuity, match="3/1 is answered already"):
        continuity.check(at(1))


def test_a_partition_that_is_not_held_is_noticed(continuity: Continuity) -> None:
    continuity.assigned({})
    with pytest.raises(Discontinuity, match="not held"):
        continuity.check(at(0))


def test_a_transactions_marker_is_no_message_left_out(isolated: Settings) -> None:
    publish(isolated, 2, transaction=f"{isolated.topic_prefix}feed")  # 0, 1, and the marker 2
    publish(isolated, 1)
    continuity = Continuity(isolated)
    continuity.assigned({P: 2})
    continuity.check(at(3))
