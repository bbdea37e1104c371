"""An agent's transactions without the agent: its membership comes from a consumer that reads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer

from infra import names
from infra.settings import Settings
from stream import account, kafka
from stream.transactions import Transactions
from tests.running import wait_until

HELD = (0, 1)  # the partitions whose accounts such an agent took over


@contextmanager
def joining(settings: Settings, instance: str | None = None) -> Iterator[Consumer]:
    """A member of the agents' group, to be asked by `joined`."""
    extra = {"group.instance.id": instance} if instance else {}
    consumer = kafka.consumer(settings, account.group(settings), **extra)
    try:
        consumer.subscribe([settings.topic(names.ARTICLES.name)])
        yield consumer
    finally:
        consumer.close()


@contextmanager
def member(settings: Settings, instance: str | None = None) -> Iterator[Consumer]:
    """A member of the agents' group that was given partitions."""
    with joining(settings, instance) as consumer:
        wait_until(lambda: joined(consumer), 30, "partitions")
        yield consumer


def joined(consumer: Consumer) -> bool:
    """Tell whether the member holds partitions; it must be asked for a rebalance to go on."""
    consumer.poll(0.05)
    return bool(consumer.assignment())


def delivering(settings: Settings) -> Transactions:
    """The transactions of an agent that has just started and taken over its partitions."""
    transactions = Transactions(settings)
    transactions.open()
    committed = account.committed(settings, HELD)
    transactions.open_accounts({p: known for p, (_, known) in committed.items()})
    return transactions
