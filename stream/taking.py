"""Batches out of Faust's queue, without its stream around each message.

Faust's `noack_take` looks at its buffer twenty times a second and costs some 45 us a message. This
takes what is there as soon as there is something, and keeps the stream's two duties: a message of
an earlier generation, or one that comes while partitions move, is dropped (Faust seeks back and
reads it again), and a rebalance waits for what is taken and not acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

LOOK_S = 0.005  # how often a batch that is not full looks for more


async def batches(app: Any, channel: Any, most: int, wait_s: float) -> AsyncIterator[list[Any]]:
    """Yield Faust's events in lists of at most `most`, for ever.

    A list is yielded when it is full, or `wait_s` after its first event.
    """
    loop = asyncio.get_running_loop()
    queue = channel.queue
    while True:
        events: list[Any] = []
        while not events:
            _keep(app, events, await queue.get())
        end = loop.time() + wait_s
        while len(events) < most:
            if not queue.empty():
                _keep(app, events, queue.get_nowait())
            elif loop.time() < end:
                # Not asyncio.wait_for(queue.get()): cancelled at the wrong moment it loses one.
                await asyncio.sleep(LOOK_S)
            else:
                break
        yield events


def _keep(app: Any, events: list[Any], event: Any) -> None:
    """Append an event that this agent may answer."""
    message = event.message
    if app.flow_control.is_active() and message.generation_id == app.consumer_generation_id:
        message.tracked = True
        app.consumer.unacked.add(message)
        events.append(event)
