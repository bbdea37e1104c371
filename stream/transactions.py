"""Results, offsets and accounts in one Kafka transaction a batch: exactly once, or not at all.

Faust only delivers; the agent sends and commits by itself, with one producer for all partitions that
it holds. Two things keep a predecessor out (KIP-447): its producer has the same transactional id,
and its commit names the generation in which it held the partitions, which the broker refuses once
they have moved. Faust's own way, a producer a partition, costs a transaction for each of them; its
`Topic.send` leaves the transaction silently where the app does not subscribe to the topic, and its
timers commit offsets of articles that nobody has answered.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import Message, TopicPartition

from infra import names
from infra.settings import Settings
from stream import account, kafka
from stream.account import Account
from stream.outputs import Output
from stream.pipeline import Batch

TRANSACTION_S = 10.0  # how long a dead agent's open transaction can hold back readers


class Transactions:
    """The transactions of one agent, and the accounts of its partitions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic(names.ARTICLES.name)
        self._accounts: dict[int, Account] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")

    def open(self) -> None:
        """Start the producer; a transaction that its predecessor left open is aborted.

        Raises confluent_kafka.KafkaException.
        """
        self._producer = kafka.producer(
            self._settings,
            **{
                "transactional.id": f"{account.group(self._settings)}-{self._settings.process}",
                "transaction.timeout.ms": int(1000 * TRANSACTION_S),
                "linger.ms": 1,
            },
        )
        self._producer.init_transactions(kafka.ANSWER_S)

    def open_accounts(self, accounts: dict[int, Account]) -> None:
        """Take over partitions with the accounts committed for them."""
        self._accounts = dict(accounts)

    async def deliver(self, batch: Batch, membership: bytes) -> dict[int, int]:
        """Send and commit `batch`; return, by partition, the offset after its last result.

        `membership` is that in which the articles were read, see `membership` of this file.
        Partitions without a result are left out. Raises confluent_kafka.KafkaException, also where
        the partitions have moved, and TimeoutError where Kafka is silent for a session: this
        process must end then, and a read_committed reader sees the batch whole or not at all.
        """
        loop = asyncio.get_running_loop()
        # librdkafka forgets its own timeout where the group's coordinator restarts (its issue 5456).
        # The bound is that after which the group gives up a silent agent; a batch takes milliseconds.
        async with asyncio.timeout(self._settings.session_timeout_s):
            return await loop.run_in_executor(self._thread, self._deliver, batch, membership)

    def _deliver(self, batch: Batch, membership: bytes) -> dict[int, int]:
        last_results = {o.partition: n for n, o in enumerate(batch.outputs) if o.is_result}
        ends: dict[int, int] = {}

        def note(_: Any, message: Message) -> None:
            partition, offset = kafka.place(message)
            ends[partition] = offset + 1

        self._producer.begin_transaction()
        for n, output in enumerate(batch.outputs):
            self._send(output, note if last_results.get(output.partition) == n else None)
        totals = {
            partition: self._accounts[partition] + change
            for partition, change in batch.accounts.items()
        }
        places = [
            TopicPartition(
                self._topic,
                partition,
                offset,
                metadata=account.to_metadata(totals[partition]),
            )
            for partition, offset in batch.next_offsets.items()
        ]
        self._producer.send_offsets_to_transaction(places, membership, TRANSACTION_S)
        # Waits for every message of the batch first, and fails where one could not be written.
        self._producer.commit_transaction(TRANSACTION_S)
        self._accounts.update(totals)
        return ends

    def _send(self, output: Output, note: Callable[[Any, Message], None] | None) -> None:
        options = {} if note is None else {"on_delivery": note}
        self._producer.produce(
            output.topic,
            value=output.value,
            key=output.key,
            partition=output.partition,
            timestamp=int(1000 * output.timestamp_s) if output.timestamp_s else 0,
            headers=list(output.headers),
            **options,
        )


def membership(group_id: str, generation: int, member: str, instance: str) -> bytes:
    """Return a static member of a consumer group, as librdkafka writes it down.

    Faust reads through aiokafka, this file sends through librdkafka, which takes the membership of a
    consumer of its own in this form (`rd_kafka_consumer_group_metadata_write`, version 2).
    """
    dynamic = b"\0"  # not: an instance follows
    named = f"{group_id}\0{member}\0".encode()
    return b"CGMDv2:" + struct.pack("=i", generation) + named + dynamic + f"{instance}\0".encode()
