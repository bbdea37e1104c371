"""The agent: takes batches of articles from Faust and answers them, exactly once.

Faust only delivers, the agent commits, every surprise ends the process, a supervisor restarts it.
While one batch is sent and committed the next is computed; the ledger knows both. The event loop
never waits for the engine, Redis or the disk: those run in the one worker thread.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import faust

from infra import metrics, names
from infra.settings import Settings
from ml import sealing
from stream import account, heartbeat
from stream.cache_server import CacheServer
from stream.continuity import Continuity
from stream.deployments import Watch
from stream.embedding_cache import EmbeddingCache
from stream.embedding_origins import EmbeddingOrigins
from stream.engine_client import EngineClient
from stream.ledger import Ledger
from stream.near_bounds import Bounds
from stream.near_cache import NearCache, nowhere
from stream.outputs import Record
from stream.pipeline import Batch, Pipeline
from stream.portions import portions
from stream.rollout import Rollout
from stream.serving import Serving
from stream.taking import batches
from stream.transactions import Transactions, membership
from stream.watchdog import Watchdog, end_process

log = logging.getLogger(__name__)

NOTHING_DEPLOYED_S = 0.5
SETTLED_S = 0.005  # from a read's first article in Faust's queue to its last
TIDINGS_S = 0.5  # how often an idle agent looks for a new deployment


class Agent:
    """One agent process's state around Faust's stream."""

    def __init__(self, app: faust.App, settings: Settings) -> None:
        self._app: Any = app
        self._settings = settings
        self._topic = settings.topic(names.ARTICLES.name)
        engine = EngineClient(settings.engine_address, standby=True)
        self._serving = Serving(settings.home, engine, Rollout(settings.engine_address))
        self._ledger = Ledger(settings)
        ring = functools.partial(sealing.find_ring, settings.home)
        server = CacheServer(settings.cache, settings.cache_timeout_ms, ring)
        self._pipeline = Pipeline(
            self._ledger,
            EmbeddingCache(server),
            engine,
            self._serving,
            NearCache(server, Bounds(settings.home) if settings.near_duplicates else nowhere),
            settings.topic_prefix,
        )
        self._transactions = Transactions(settings)
        self._continuity = Continuity(settings)
        self._watch = Watch(settings)
        self._watchdog = Watchdog(settings, end_process)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="classify")
        self._recorder = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._generation: int | None = None
        self._membership = b""  # of that generation
        self._delivery: asyncio.Task[None] | None = None
        self._computing = False
        self._stopping = False
        self._ready = False
        self._articles = 0
        self._embeddings = EmbeddingOrigins()
        self._batch_seconds: dict[str, float] = {}

    async def run(self, stream: Any) -> None:
        """Answer articles until the process ends; never returns, never raises."""
        self._app.consumer.force_commit = _never_commit
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        self._watchdog.start()
        try:
            heartbeat.start(self._settings, "agent", self.figures)
            await self._in_thread(self._transactions.open)
            await self._in_thread(self._wait_for_deployment)
            tidings = asyncio.create_task(self._follow_deployments())
            tidings.add_done_callback(_end_on_error)
            self._app.consumer.gather_s = self._settings.batch_wait_ms / 1000
            most = self._settings.batch_articles
            async for events in batches(self._app, aiter(stream.channel), most, SETTLED_S):
                self._computing = True
                sizes = [len(event.message.value or b"") for event in events]
                for portion in portions(events, sizes, self._settings.batch_bytes):
                    await self._take(portion)
                    if self._stopping:
                        break
                self._computing = False
                if self._stopping:
                    self._stop()
            end_process("Faust's stream ended")
        except BaseException as error:
            log.exception("a batch failed")
            end_process(repr(error))

    async def _take(self, events: Sequence[Any]) -> None:
        """Compute a batch, then hand it to delivery once the one before is committed."""
        generation = self._app.consumer_generation_id
        if any(event.message.generation_id != generation for event in events):
            end_process("a batch of an earlier generation")
        if generation != self._generation:
            await self._delivered()
            self._generation, self._membership = generation, self._member_of(generation)
            partitions = {event.message.partition for event in events}
            await self._in_thread(self._take_over, partitions)
        records = [_record(event.message) for event in events]
        batch = await self._in_thread(self._classify, records)
        await self._delivered()
        self._delivery = asyncio.create_task(self._deliver(batch, events))
        self._delivery.add_done_callback(_end_on_error)

    def _member_of(self, generation: int) -> bytes:
        member = self._app.consumer.member
        return membership(account.group(self._settings), generation, member, self._settings.process)

    async def _deliver(self, batch: Batch, events: Sequence[Any]) -> None:
        """Send, commit, record, acknowledge; in this order."""
        started = time.perf_counter()
        ends = await self._transactions.deliver(batch, self._membership)
        metrics.BATCH_SECONDS.labels("commit").observe(time.perf_counter() - started)
        self._watchdog.committed(batch.next_offsets)
        await asyncio.get_running_loop().run_in_executor(self._recorder, self._record, batch, ends)
        for event in events:
            event.ack()  # only lets a rebalance go on; it never becomes an offset
        self._app.consumer.answered(sum(len(event.message.value or b"") for event in events))
        self._articles += len(events)

    async def _delivered(self) -> None:
        if self._delivery is not None:
            await self._delivery
            self._delivery = None

    async def _follow_deployments(self) -> None:
        """Apply new deployments while no article comes; with articles each batch does."""
        while True:
            await asyncio.sleep(TIDINGS_S)
            await self._in_thread(self._apply_deployments)

    async def _in_thread(self, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call, *arguments)

    # In the worker thread:

    def _wait_for_deployment(self) -> None:
        self._apply_deployments()
        while not self._serving.models:
            time.sleep(NOTHING_DEPLOYED_S)
            self._apply_deployments()
        self._ready = True

    def _apply_deployments(self) -> None:
        if self._watch.poll() or not self._serving.models:
            self._serving.apply(self._watch.control.champions)
        self._serving.go_on()

    def _take_over(self, partitions: set[int]) -> None:
        """Learn what was committed for all that this agent holds from now on, `partitions` too."""
        held = {tp.partition for tp in self._app.consumer.assignment() if tp.topic == self._topic}
        committed = account.committed(self._settings, sorted(held | partitions))
        self._continuity.assigned({p: offset for p, (offset, _) in committed.items()})
        self._ledger.forget_positions()
        self._transactions.open_accounts({p: a for p, (_, a) in committed.items()})
        self._watchdog.assigned({p: max(0, offset) for p, (offset, _) in committed.items()})

    def _classify(self, records: list[Record]) -> Batch:
        self._continuity.check((record.partition, record.offset) for record in records)
        self._apply_deployments()
        batch = self._pipeline.classify_batch(records)
        for stage, seconds in batch.seconds.items():
            metrics.BATCH_SECONDS.labels(stage).observe(seconds)
            self._batch_seconds[stage] = self._batch_seconds.get(stage, 0.0) + seconds
        self._embeddings.add(batch.embeddings)
        return batch

    def _record(self, batch: Batch, ends: dict[int, int]) -> None:
        for partition, end in ends.items():
            self._ledger.record(partition, end, batch.entries.get(partition, {}))

    # For others:

    def _stop(self) -> None:
        """End after the running batch, at once when idle."""
        self._stopping = True
        if self._computing:
            return
        if self._delivery is None or self._delivery.done():
            _end_cleanly()
        else:
            self._delivery.add_done_callback(lambda _: _end_cleanly())

    def figures(self) -> dict[str, Any]:
        """Return what the console shows of this agent; counters since its start."""
        return {
            "ready": self._ready,
            "articles": self._articles,
            **self._embeddings.figures(),
            "models": self._serving.models,
            "failures": self._serving.failures,
            "lag": self._watchdog.lag,
            "result_age_s": {p: round(a, 1) for p, a in self._watchdog.result_age_s().items()},
            "stage_seconds": {s: round(v, 3) for s, v in self._batch_seconds.items()},
        }


async def _never_commit(*_: Any, **__: Any) -> bool:
    """Stand in for Faust's commit: offsets leave in the batch's transaction alone."""
    return False


def _end_on_error(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        end_process("a task was cancelled")
    if error := task.exception():
        log.error("a task failed", exc_info=error)
        end_process(repr(error))


def _end_cleanly() -> NoReturn:
    log.warning("the agent stops: its last batch is committed")
    logging.shutdown()
    os._exit(0)


def _record(message: Any) -> Record:
    return Record(
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=list(message.headers or []),
        timestamp_s=message.timestamp,
    )
