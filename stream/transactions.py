"""Results, offsets and accounts in one Kafka transaction a partition: exactly once, or not at all.

Faust only delivers; the agent sends with the partition's transactional id and commits by itself.
Why not Faust's own way: its `Topic.send` leaves the transaction silently where the app does not
subscribe to the topic, and its timers commit offsets of articles that nobody has answered.

The contract of `deliver`:

1. Send every message of the batch with its partition's transactional id; await all of them.
2. Refuse if the partitions have moved meanwhile.
3. Commit each partition's transaction with its next offset and its account as metadata.
"""

from __future__ import annotations

import asyncio
from typing import Any

import faust
from aiokafka import TopicPartition

from infra import names
from stream import account
from stream.account import Account
from stream.pipeline import Batch


class Rebalanced(RuntimeError):
    """The partitions of a batch were given to another agent: nothing of it may be committed."""


class Transactions:
    """The transactions of one agent, and the accounts of its partitions."""

    def __init__(self, app: faust.App, articles_topic: str) -> None:
        self._app: Any = app  # the producer's transactional interface is not in Faust's types
        self._topic = articles_topic
        self._accounts: dict[int, Account] = {}

    def transactional_id(self, partition: int) -> str:
        """Return the id under which Faust started the partition's producer."""
        group = self._app.assignor.group_for_topic(self._topic)
        return f"{self._app.conf.id}-{group}-{partition}"

    def missing(self, partitions: set[int]) -> set[str]:
        """Return the transactional ids that have no producer: Faust only logs that it failed."""
        wanted = {self.transactional_id(p) for p in partitions}
        return wanted - set(self._app.producer._transaction_producers)

    def open_accounts(self, accounts: dict[int, Account]) -> None:
        """Take over partitions with the accounts committed for them."""
        self._accounts = dict(accounts)

    async def deliver(self, batch: Batch, generation: int) -> dict[int, int]:
        """Send and commit `batch`; return, by partition, the offset after its last result.

        Partitions without a result are left out. Raises Rebalanced, and whatever the producer
        raises: either way nothing of the batch is visible to a read_committed reader.
        """
        producer = self._app.producer
        sent = [
            await producer.send(
                output.topic,
                output.key,
                output.value,
                output.partition,
                output.timestamp_s,
                output.headers,
                transactional_id=self.transactional_id(output.partition),
            )
            for output in batch.outputs
        ]
        written = await asyncio.gather(*sent)
        if self._app.consumer_generation_id != generation:
            raise Rebalanced("the partitions moved while the batch was computed")
        totals = {
            partition: self._accounts[partition] + change
            for partition, change in batch.accounts.items()
        }
        await asyncio.gather(
            *(
                producer.commit_transactions(
                    {
                        self.transactional_id(partition): {
                            TopicPartition(self._topic, partition): (
                                offset,
                                account.to_metadata(totals[partition]),
                            )
                        }
                    },
                    self._app.conf.id,
                )
                for partition, offset in batch.next_offsets.items()
            )
        )
        self._accounts.update(totals)
        ends: dict[int, int] = {}
        for output, place in zip(batch.outputs, written, strict=True):
            if output.is_result:
                ends[output.partition] = place.offset + 1
        return ends


def group(topic_prefix: str) -> str:
    """Return the agents' consumer group, which is the Faust app's id too."""
    return topic_prefix + names.CONSUMER_GROUP
