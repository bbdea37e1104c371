"""An agent's transactions without the agent: Faust's own producer, started by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from infra import names
from infra.settings import Settings
from stream import account, app
from stream.transactions import Transactions

GENERATION = 7
HELD = (0, 1)  # the partitions that such an agent was assigned


@asynccontextmanager
async def delivering(settings: Settings) -> AsyncIterator[tuple[Any, Transactions]]:
    """The app of an agent that was assigned its partitions, and its transactions."""
    with patch.object(app, "Agent"):  # nobody reads
        built: Any = app.build(settings)
    topic = settings.topic(names.ARTICLES.name)
    built.assignor._topic_groups[topic] = 0
    built.consumer_generation_id = GENERATION
    producer = built.producer
    # Faust keeps these on the class, for the one app of a process; a test may have two.
    producer._transaction_producers, producer._trn_locks = {}, {}
    transactions = Transactions(built, topic)
    await producer.start()
    try:
        for partition in HELD:
            await producer.begin_transaction(transactions.transactional_id(partition))
        assert transactions.missing(set(HELD)) == set()
        committed = account.committed(settings, HELD)
        transactions.open_accounts({p: known for p, (_, known) in committed.items()})
        yield built, transactions
    finally:
        await producer.stop()
