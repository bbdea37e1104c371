"""Results, offsets and accounts in one transaction, by Faust's own producer on the real Kafka."""

from __future__ import annotations

import asyncio
import gc

import pytest
from aiokafka.errors import ProducerFenced

from infra import names
from infra.settings import Settings
from stream import account, kafka
from stream.account import Account
from stream.outputs import Output
from stream.pipeline import Batch
from stream.transactions import Rebalanced
from tests.running import wait_until
from tests.stream.delivering import GENERATION, delivering


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


def visible(settings: Settings) -> list[tuple[int, bytes | None]]:
    """Return what a subscriber sees, partition after partition."""
    topic = settings.topic(names.CLASSIFICATIONS.name)
    found = [(kafka.place(m)[0], m.value()) for m in kafka.read_to_end(settings, topic)]
    return sorted(found, key=lambda item: item[0])


def becomes_visible(settings: Settings, results: list[tuple[int, bytes]]) -> None:
    """Wait for what was committed: the broker writes the transactions' markers a moment later."""
    wait_until(lambda: visible(settings) == results, 10, f"{results}")


def test_results_offsets_and_accounts_become_visible_together(isolated: Settings) -> None:
    async def deliver() -> dict[int, int]:
        async with delivering(isolated) as (_, transactions):
            first = batch(isolated, {0: 5, 1: 9}, {0: [b"a", b"b"], 1: [b"c"]})
            return await transactions.deliver(first, GENERATION)

    assert asyncio.run(deliver()) == {0: 2, 1: 1}
    becomes_visible(isolated, [(0, b"a"), (0, b"b"), (1, b"c")])
    assert account.committed(isolated, [0, 1, 2]) == {
        0: (5, Account(first=2, duplicate=1)),
        1: (9, Account(first=1, duplicate=1)),
        2: (-1, Account()),
    }


def test_accounts_add_up_and_a_partition_without_results_moves_on(isolated: Settings) -> None:
    async def deliver() -> list[dict[int, int]]:
        async with delivering(isolated) as (_, transactions):
            batches = [
                batch(isolated, {0: 5}, {0: [b"a"]}),
                batch(isolated, {0: 6, 1: 1}, {0: [b"b"]}),
            ]
            return [await transactions.deliver(one, GENERATION) for one in batches]

    # The transaction's marker takes an offset too.
    assert asyncio.run(deliver()) == [{0: 1}, {0: 3}]
    assert account.committed(isolated, [0, 1]) == {
        0: (6, Account(first=2, duplicate=2)),
        1: (1, Account(duplicate=1)),
    }


def test_a_batch_whose_partitions_moved_leaves_nothing_and_the_successor_answers_once(
    isolated: Settings,
) -> None:
    ours = batch(isolated, {0: 5}, {0: [b"a"]})

    async def deliver() -> None:
        async with delivering(isolated) as (built, transactions):
            built.consumer_generation_id = GENERATION + 1
            with pytest.raises(Rebalanced):
                await transactions.deliver(ours, GENERATION)
            assert visible(isolated) == []
        async with delivering(isolated) as (_, transactions):
            await transactions.deliver(ours, GENERATION)

    asyncio.run(deliver())
    becomes_visible(isolated, [(0, b"a")])
    assert account.committed(isolated, [0]) == {0: (5, Account(first=1, duplicate=1))}


def test_an_agent_that_was_replaced_while_it_was_frozen_is_fenced(isolated: Settings) -> None:
    ours = batch(isolated, {0: 5}, {0: [b"a"]})

    async def deliver() -> None:
        async with delivering(isolated) as (_, frozen):
            async with delivering(isolated) as (_, successor):
                await successor.deliver(ours, GENERATION)
            with pytest.raises(ProducerFenced):
                await frozen.deliver(ours, GENERATION)

    asyncio.run(deliver())
    # The fenced producer leaves futures that tell of their error when they are collected. Here, for
    # Python 3.11 fails where that happens while it parses, as pytest does when it imports.
    gc.collect()
    becomes_visible(isolated, [(0, b"a")])
    assert account.committed(isolated, [0]) == {0: (5, Account(first=1, duplicate=1))}
