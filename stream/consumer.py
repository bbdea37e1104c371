"""The agents' consumer: Faust's own, less five of its faults.

It reads committed articles alone, though Faust, as far as it knows, has no transactions. It lets
articles gather between two reads, where Faust reads each as it comes. It reads a partition without a
commit from its beginning after a rebalance. It bounds what is buffered in bytes: Faust counts
messages, and a thousand of 10 MB are more than a machine has. What one poll brings is bounded by the
fetch as the broker stores it, 50 MB; compressed text is larger. And it does not remember
acknowledged offsets, which Faust keeps until it commits them itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP, Message
from mode.types import ServiceT
from mode.utils.futures import notify

BUFFER_BYTES = 32 * 1024 * 1024
"""Of articles read and not answered; above it nothing is read. One more fetch may come on top."""

ROOM_S = 0.02  # how often a full buffer is looked at


class ConsumerThread(AIOKafkaConsumerThread):
    """Faust's own, less its blindness for partitions in which nothing was committed yet."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek as `seek_to_committed` of this file does."""
        consumer = self._ensure_consumer()
        committed: Mapping[TP, int] = await self.call_thread(seek_to_committed, consumer)
        return committed


class BoundedConsumer(Consumer):
    """Reads while less than BUFFER_BYTES wait to be answered.

    `gather_s`: articles gather for so long before they are read. Each read wakes two event loops
    and a broker: read one by one, 400 articles a second cost an agent twice the CPU.
    """

    gather_s = 0.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.in_transaction = True  # to Faust: read_committed
        self._buffered = 0
        self._buffered_of: int | None = None  # generation
        self._last_read = 0  # messages

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """Start none of Faust's producers: the agent has its own."""
        return []

    @property
    def member(self) -> str:
        """The id under which the group's coordinator knows this consumer."""
        return str(self._thread._ensure_consumer()._coordinator.member_id)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's own signature
    ) -> AsyncIterator[tuple[TP, Message]]:
        """Yield messages as Faust's does, once some have gathered and there is room for them."""
        if 0 < self._last_read < self.app.conf.broker_max_poll_records:  # more: a backlog
            await asyncio.sleep(self.gather_s)
        self._last_read = 0
        while self._full():  # noqa: ASYNC110 - room comes by answers and by rebalances
            await asyncio.sleep(ROOM_S)
        async for place, message in super().getmany(timeout):
            self._buffered += len(message.value or b"")
            self._last_read += 1
            yield place, message

    def ack(self, message: Message) -> bool:
        """Let a rebalance go on; offsets leave in the batches' transactions alone."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return True

    def answered(self, size: int) -> None:
        """Note that `size` bytes of messages are answered."""
        self._buffered = max(0, self._buffered - size)

    def _full(self) -> bool:
        """Tell whether nothing may be read; what Faust drops in a rebalance is counted no more."""
        generation: int = self.app.consumer_generation_id
        if generation != self._buffered_of:
            self._buffered, self._buffered_of = 0, generation
        return self._buffered >= BUFFER_BYTES and not self.should_stop


async def seek_to_committed(consumer: AIOKafkaConsumer) -> dict[TP, int]:
    """Seek every partition to its committed offset, or to its beginning where there is none.

    While partitions move, Faust drops what it has fetched and seeks. aiokafka's own
    `seek_to_committed` leaves a partition without a commit where it is: its first articles would
    never be answered.
    """
    committed: dict[TP, int] = await consumer.seek_to_committed()
    if fresh := [partition for partition, offset in committed.items() if not offset]:
        await consumer.seek_to_beginning(*fresh)
    return committed
