"""Batches out of Faust's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from stream.taking import batches

GENERATION = 7


class Event:
    """What Faust's event is to an agent."""

    def __init__(self, name: str, generation: int = GENERATION) -> None:
        self.name = name
        self.message = SimpleNamespace(generation_id=generation, tracked=False)


class House:
    """An app whose partitions are assigned, and the channel of its topic."""

    def __init__(self) -> None:
        self.moving = False
        self.unacked: list[Any] = []
        self.queue: asyncio.Queue[Event] = asyncio.Queue()
        self.app = SimpleNamespace(
            flow_control=SimpleNamespace(is_active=lambda: not self.moving),
            consumer_generation_id=GENERATION,
            consumer=SimpleNamespace(unacked=SimpleNamespace(add=self.unacked.append)),
        )

    def put(self, *events: Event) -> None:
        for event in events:
            self.queue.put_nowait(event)

    async def take(self, most: int = 3, wait_s: float = 0.01) -> list[str]:
        channel = SimpleNamespace(queue=self.queue)
        async for events in batches(self.app, channel, most, wait_s):
            return [event.name for event in events]
        raise AssertionError("it ended")


def run(story: Callable[[House], Awaitable[list[str]]]) -> list[str]:
    async def told() -> list[str]:
        return await asyncio.wait_for(story(House()), 10)

    return asyncio.run(told())


def test_what_waits_is_one_batch() -> None:
    async def story(house: House) -> list[str]:
        house.put(Event("a"), Event("b"))
        return await house.take()

    assert run(story) == ["a", "b"]


def test_a_full_batch_leaves_the_rest() -> None:
    async def story(house: House) -> list[str]:
        house.put(*map(Event, "abcd"))
        assert await house.take(wait_s=60.0) == ["a", "b", "c"]
        return await house.take()

    assert run(story) == ["d"]


def test_a_batch_waits_for_more() -> None:
    async def story(house: House) -> list[str]:
        house.put(Event("a"))
        asyncio.get_running_loop().call_later(0.05, house.put, Event("b"), Event("c"))
        return await house.take(wait_s=60.0)

    assert run(story) == ["a", "b", "c"]


def test_a_message_of_an_earlier_generation_is_dropped() -> None:
    async def story(house: House) -> list[str]:
        house.put(Event("old", GENERATION - 1), Event("new"))
        return await house.take()

    assert run(story) == ["new"]


def test_a_message_that_comes_while_partitions_move_is_dropped() -> None:
    async def story(house: House) -> list[str]:
        house.moving = True
        house.put(Event("dropped"))
        taking = asyncio.create_task(house.take())
        await asyncio.sleep(0.02)
        house.moving = False
        house.put(Event("kept"))
        return await taking

    assert run(story) == ["kept"]


def test_a_rebalance_waits_for_what_is_taken() -> None:
    async def story(house: House) -> list[str]:
        events = [Event("a"), Event("old", GENERATION - 1)]
        house.put(*events)
        taken = await house.take()
        assert house.unacked == [events[0].message]
        assert events[0].message.tracked
        return taken

    assert run(story) == ["a"]
