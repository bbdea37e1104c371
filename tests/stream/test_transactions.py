"""Results, offsets and accounts in one transaction, on the real Kafka."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as AioPartition
from confluent_kafka import Consumer, KafkaError, KafkaException

from infra import names
from infra.settings import Settings
from stream import account, kafka
from stream.account import Account
from stream.outputs import Output
from stream.pipeline import Batch
from stream.transactions import Transactions, membership
from tests.running import wait_until
from tests.stream.delivering import delivering, joined, joining, member


def batch(settings: Settings, offsets: dict[int, int], results: dict[int, list[bytes]]) -> Batch:
    """Return a batch that ends before `offsets` and has results, by partition."""
    topic = settings.topic(names.CLASSIFICATIONS.name)
    outputs = [
        Output(topic, partition, b"uri", value, [("ce_id", value)], is_result=True)
        for partition, values in results.items()
        for value in values
    ]
    accounts = {p: Account(first=len(results.get(p, [])), duplicate=1) for p in offsets}
    return Batch(outputs, {}, accounts, offsets, {}, {})


def deliver(transactions: Transactions, ours: Batch, membership_: bytes) -> dict[int, int]:
    return asyncio.run(transactions.deliver(ours, membership_))


def visible(settings: Settings) -> list[tuple[int, bytes | None]]:
    """Return what a subscriber sees, partition after partition."""
    topic = settings.topic(names.CLASSIFICATIONS.name)
    found = [(kafka.place(m)[0], m.value()) for m in kafka.read_to_end(settings, topic)]
    return sorted(found, key=lambda item: item[0])


def becomes_visible(settings: Settings, results: list[tuple[int, bytes]]) -> None:
    """Wait for what was committed: the broker writes the transactions' markers a moment later."""
    wait_until(lambda: visible(settings) == results, 10, f"{results}")


def test_a_membership_reads_as_librdkafka_writes_it(isolated: Settings) -> None:
    with member(isolated, "agent-1") as consumer:
        theirs = consumer.consumer_group_metadata()
        assert isinstance(theirs, bytes)
        group, member_id, instance = theirs[11:].replace(b"\0\0", b"\0").decode().split("\0")[:3]
        generation = int.from_bytes(theirs[7:11], sys.byteorder, signed=True)
    assert (group, instance) == (f"{isolated.topic_prefix}wireroom", "agent-1")
    assert generation > 0
    assert membership(group, generation, member_id, instance) == theirs


def test_results_offsets_and_accounts_become_visible_together(isolated: Settings) -> None:
    first = batch(isolated, {0: 5, 1: 9}, {0: [b"a", b"b"], 1: [b"c"]})
    with member(isolated) as consumer:
        ends = deliver(delivering(isolated), first, consumer.consumer_group_metadata())
    assert ends == {0: 2, 1: 1}
    becomes_visible(isolated, [(0, b"a"), (0, b"b"), (1, b"c")])
    assert account.committed(isolated, [0, 1, 2]) == {
        0: (5, Account(first=2, duplicate=1)),
        1: (9, Account(first=1, duplicate=1)),
        2: (-1, Account()),
    }


def test_accounts_add_up_and_a_partition_without_results_moves_on(isolated: Settings) -> None:
    batches = [
        batch(isolated, {0: 5}, {0: [b"a"]}),
        batch(isolated, {0: 6, 1: 1}, {0: [b"b"]}),
    ]
    transactions = delivering(isolated)
    with member(isolated) as consumer:
        held = consumer.consumer_group_metadata()
        ends = [deliver(transactions, one, held) for one in batches]
    # The transaction's marker takes an offset too.
    assert ends == [{0: 1}, {0: 3}]
    assert account.committed(isolated, [0, 1]) == {
        0: (6, Account(first=2, duplicate=2)),
        1: (1, Account(duplicate=1)),
    }


def test_a_batch_whose_partitions_moved_leaves_nothing_and_the_successor_answers_once(
    isolated: Settings,
) -> None:
    ours = batch(isolated, {0: 5}, {0: [b"a"]})
    with member(isolated) as consumer:
        before = consumer.consumer_group_metadata()
        transactions = delivering(isolated)
        with joining(isolated) as other:
            wait_until(lambda: joined(other) | moved(consumer, before), 30, "a new generation")
            with pytest.raises(KafkaException) as raised:
                deliver(transactions, ours, before)
            assert raised.value.args[0].code() == KafkaError.ILLEGAL_GENERATION
        assert visible(isolated) == []
        wait_until(lambda: joined(consumer), 30, "partitions")
        deliver(delivering(isolated), ours, consumer.consumer_group_metadata())
    becomes_visible(isolated, [(0, b"a")])
    assert account.committed(isolated, [0]) == {0: (5, Account(first=1, duplicate=1))}


def moved(consumer: Consumer, before: bytes) -> bool:
    return joined(consumer) and consumer.consumer_group_metadata() != before


def test_an_agent_that_was_replaced_while_it_was_frozen_is_fenced(isolated: Settings) -> None:
    ours = batch(isolated, {0: 5}, {0: [b"a"]})
    with member(isolated) as consumer:
        held = consumer.consumer_group_metadata()
        frozen = delivering(isolated)
        deliver(delivering(isolated), ours, held)
        with pytest.raises(KafkaException) as raised:
            deliver(frozen, ours, held)
    assert raised.value.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    becomes_visible(isolated, [(0, b"a")])
    assert account.committed(isolated, [0]) == {0: (5, Account(first=1, duplicate=1))}


def test_a_successor_waits_for_what_a_predecessor_commits(isolated: Settings) -> None:
    topic = isolated.topic(names.CLASSIFICATIONS.name)
    dying = kafka.producer(isolated, **{"transactional.id": f"{isolated.topic_prefix}dying"})
    dying.init_transactions(10)
    dying.begin_transaction()
    dying.produce(topic, b"a", b"uri", partition=0)
    dying.flush(10)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(kafka.wait_until_settled, isolated, topic, [0, 1])
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        dying.commit_transaction(10)
        waiting.result(10)
    assert visible(isolated) == [(0, b"a")]


def test_an_account_is_written_with_the_nul_at_which_reading_it_ends(isolated: Settings) -> None:
    async def written() -> str:
        group_ = f"{isolated.topic_prefix}wireroom"
        reader = AIOKafkaConsumer(bootstrap_servers=isolated.kafka, group_id=group_)
        await reader.start()
        try:
            place = AioPartition(isolated.topic(names.ARTICLES.name), 0)
            found = await reader._coordinator.fetch_committed_offsets([place])
            return str(found[place].metadata)
        finally:
            await reader.stop()

    with member(isolated) as consumer:
        ours = batch(isolated, {0: 5}, {0: [b"a"]})
        deliver(delivering(isolated), ours, consumer.consumer_group_metadata())
    assert asyncio.run(written()) == '{"first":1,"duplicate":1}\0'
