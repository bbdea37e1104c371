"""An agent with a bug on purpose, to see that the harness finds it.

Run as `python -m tests.chaos.planted PLANT worker ...`; otherwise it is the agent itself.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

from infra.settings import load
from stream import app, kafka
from stream.account import Account
from stream.pipeline import Batch
from stream.transactions import Transactions

PLANTS = ("acknowledge-early", "skip-flush", "exactly-once-off")
PAUSE_S = 0.6  # between a batch's two steps, for a kill to fall into
LINGER_MS = 500

Deliver = Callable[[Transactions, Batch, bytes], Awaitable[dict[int, int]]]
_deliver = Transactions.deliver


async def acknowledge_early(self: Transactions, batch: Batch, membership: bytes) -> dict[int, int]:
    """Commit the offsets, then send the results."""
    await _deliver(self, replace(batch, outputs=[]), membership)
    await asyncio.sleep(PAUSE_S)
    counted = replace(batch, accounts=dict.fromkeys(batch.accounts, Account()))
    return await _deliver(self, counted, membership)


def outside(*, flushed: bool) -> Deliver:
    """Send results outside any transaction: waiting for them before the commit, or not."""
    producer = kafka.producer(load(), **{"linger.ms": LINGER_MS})

    async def deliver(self: Transactions, batch: Batch, membership: bytes) -> dict[int, int]:
        for output in batch.outputs:
            producer.produce(
                output.topic,
                key=output.key,
                value=output.value,
                partition=output.partition,
                headers=list(output.headers),
            )
        producer.poll(0)
        if flushed:
            producer.flush()
            await asyncio.sleep(PAUSE_S)
        await _deliver(self, replace(batch, outputs=[]), membership)
        return {}

    return deliver


def plant(name: str) -> None:
    """Put the bug into the agent of this process."""
    bug: Deliver
    if name == "acknowledge-early":
        bug = acknowledge_early
    else:
        bug = outside(flushed=name == "exactly-once-off")
    Transactions.deliver = bug  # type: ignore[assignment,method-assign]  # the bug


if __name__ == "__main__":
    plant(sys.argv.pop(1))
    app.main()
