"""Passes requests on to worker processes, and keeps as many of them alive as are needed.

Every encoder that somebody asks for has `engines` workers; a request goes to the one with the
fewest texts before it. What a worker dies on is repeated by another. An encoder that is away for
long is stood in for by its int8 twin, where whoever asks allows it; the twin has a pool like any
other. One thread, the keeper, starts and ends workers: the kernel ends a process with the thread
that started it.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from infra import metrics
from stream import engine_note, engine_wire, suspects
from stream.engine_child import Child, WorkerDied
from stream.engine_control import Report
from stream.engine_figures import LastMinute, Latencies, Totals
from stream.engine_pool import LONGEST_BACKOFF_S, Limits, Pool, Seat
from stream.engine_wire import Addressee, Refusal

TICK_S = 0.25  # as short as the shortest pause before a start
MEMORY_EVERY_S = 2.0
ASKED_AGAIN_S = 1.0  # who waits for a worker counts as asking
LOOK_S = 0.1  # and so often looks whether it is a twin's turn
TWIN_SOUGHT_EVERY_S = 30.0  # it may be made while the engine runs
log = logging.getLogger(__name__)


@dataclass
class Router:
    """Forwards requests from any thread; `keep` runs for ever in the keeper's."""

    command: Sequence[str]
    folder: Path
    limits: Limits
    find_twin: Callable[[str], str | None]
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _pools: dict[str, Pool] = field(default_factory=dict)
    _leaving: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names = count(1)
        self._selector = selectors.DefaultSelector()
        self._wake, waking = socket.socketpair()
        self._wake.setblocking(False)
        self._selector.register(waking, selectors.EVENT_READ)
        self._measured_at = 0.0
        self._totals = Totals()
        self._last_minute = LastMinute()
        self._latencies = Latencies()
        self._stood_in = 0  # texts
        # What the workers of a router before us died on; they have ended with it.
        suspects.accuse(self.folder)
        self._noted = engine_note.read(self.folder)
        self._fingerprints = dict(self._noted)  # as they last were, also of those away
        for encoder in self._noted:
            self._pool(encoder)

    # In any thread:

    def forward(self, request: bytearray) -> bytes | bytearray:
        """Return the answer's frame to a request's frame.

        Raises msgspec.DecodeError, OSError where the request cannot be understood.
        """
        started = time.perf_counter()
        asked = engine_wire.addressee(request)
        encoder, texts = asked.encoder, asked.texts
        while True:
            worker = self._take(asked)
            if worker is None:
                return engine_wire.frame(Refusal(f"{encoder}: its engine dies while it loads"))
            try:
                if worker.encoder == encoder:
                    answer: bytes | bytearray = worker.ask(request)
                else:
                    answer = worker.ask(engine_wire.readdressed(request, worker.encoder))
            except WorkerDied:
                continue
            finally:
                self._give_back(worker, texts)
            if worker.encoder != encoder:
                self._stood_in += texts
                absent = self._fingerprints.get(encoder, "")
                answer = engine_wire.describing_absent(answer, absent)
            if texts:
                seconds = time.perf_counter() - started
                metrics.ENGINE_SECONDS.observe(seconds)
                self._latencies.add(seconds)
                worker.latencies.add(seconds)
            return answer

    def _take(self, asked: Addressee) -> Child | None:
        """Return the least loaded worker, waiting for one; None where none can be had."""
        with self._changed:
            while True:
                pool = self._pool(asked.encoder)
                pool.asked_at = time.monotonic()
                workers = pool.ready()
                twin = self._twin(pool) if asked.standby else None  # so it loads before its turn
                if not workers and twin is not None:
                    # Not to a worker that loads: what waits there would miss the twin's turn.
                    workers = twin.ready() if self._is_long_away(pool) else []
                elif not workers:
                    if pool.given_up:
                        return None
                    workers = pool.living()
                if workers:
                    least = min(workers, key=lambda worker: worker.pending)
                    least.pending += max(1, asked.texts)
                    return least
                self._changed.wait(LOOK_S if asked.standby else ASKED_AGAIN_S)

    def _twin(self, pool: Pool) -> Pool | None:
        """Return the pool that may stand in for another; None where there is none that works."""
        if self.limits.standby_after_s is None:
            return None
        now = time.monotonic()
        sought_at = pool.twin_sought_at
        if pool.twin is None and (sought_at is None or now - sought_at > TWIN_SOUGHT_EVERY_S):
            pool.twin_sought_at = now
            pool.twin = self.find_twin(pool.encoder)
        if pool.twin is None:
            if self._is_long_away(pool) and not pool.missed_twin:
                pool.missed_twin = True
                log.warning("%s is away and has no int8 twin: requests wait for it", pool.encoder)
            return None
        twin = self._pool(pool.twin, engines=1)
        return None if twin.given_up or twin.is_refused else twin

    def _is_long_away(self, pool: Pool) -> bool:
        after_s = self.limits.standby_after_s
        if after_s is None or pool.ready():
            return False
        return time.monotonic() - pool.away_since >= after_s

    def _twins(self) -> set[str]:
        return {pool.twin for pool in self._pools.values() if pool.twin}

    def _give_back(self, worker: Child, texts: int) -> None:
        with self._changed:
            worker.pending -= max(1, texts)
            pool = self._pools.get(worker.encoder)
            if pool is not None:
                pool.asked_at = time.monotonic()

    def _pool(self, encoder: str, engines: int = 0) -> Pool:
        """Return an encoder's pool; a new one is for the keeper to fill."""
        if encoder not in self._pools:
            seats = [Seat(number) for number in range(engines or self.limits.engines)]
            self._pools[encoder] = Pool(encoder, seats, asked_at=time.monotonic())
            self._wake_keeper()
        return self._pools[encoder]

    def _wake_keeper(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is awake already
            self._wake.send(b"w")

    # In the keeper's thread:

    def keep(self) -> None:
        """Keep the workers for ever."""
        while True:
            self._start_due()
            for key, _ in self._selector.select(TICK_S):
                if isinstance(key.data, Child):
                    self._listen_to(key.data)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    key.fileobj.recv(4096)
            self._end_idle()
            self._bound_memory()
            with self._changed:
                self._last_minute.sample(self._totals)

    def _start_due(self) -> None:
        """Start a worker for every empty seat whose time has come."""
        now = time.monotonic()
        with self._changed:
            pools = list(self._pools.values())
            twins = self._twins()
        for pool in pools:
            for seat in pool.seats:
                if seat.worker is None and seat.due <= now:
                    seat.due = now + LONGEST_BACKOFF_S  # where it cannot be started at all
                    seat.worker = self._start(pool.encoder, seat)
                    with self._changed:
                        self._changed.notify_all()
        in_use = [p.encoder for p in pools if p.encoder not in twins]  # those are found again
        self._remember({encoder: self._fingerprints.get(encoder, "") for encoder in in_use})

    def _remember(self, encoders: dict[str, str]) -> None:
        """Leave a note of what is in use: the next router loads it before it is asked."""
        if encoders == self._noted:
            return
        self._noted = encoders
        try:
            engine_note.write(self.folder, encoders)
        except OSError as error:  # a full disk: the next router is only slower
            log.warning("no note of what is in use: %s", error)

    def _start(self, encoder: str, seat: Seat) -> Child | None:
        gpu = seat.number if self.limits.engines > 1 else None
        try:
            worker = Child(self.command, encoder, str(next(self._names)), gpu)
        except OSError as error:  # no memory, no process number
            log.error("no worker of %s can be started: %s", encoder, error)
            return None
        self._selector.register(worker.control, selectors.EVENT_READ, worker)
        log.info("worker %s of %s started (pid %d)", worker.name, encoder, worker.pid)
        return worker

    def _listen_to(self, worker: Child) -> None:
        reports = worker.read()
        if reports is None:
            self._gone(worker)
            return
        for report in reports:
            with self._changed:
                became_ready = report.ready and not worker.report.ready
                self._count(worker.report, report)
                worker.report = report
                if became_ready:
                    self._fingerprints[worker.encoder] = report.fingerprint
                if became_ready or report.refused:
                    self._seat(worker)
                metrics.ENGINE_QUEUE.set(sum(w.report.queue_texts for w in self._all()))
                self._changed.notify_all()

    def _count(self, before: Report, after: Report) -> None:
        self._totals.add(before, after)
        metrics.ENGINE_TEXTS.inc(after.encoded - before.encoded)
        metrics.ENGINE_TOKENS.labels("real").inc(after.tokens - before.tokens)
        metrics.ENGINE_TOKENS.labels("padding").inc(after.padding_tokens - before.padding_tokens)

    def _seat(self, worker: Child) -> None:
        """Let a worker that has loaded take over, where it was started to; needs the lock."""
        pool = self._pools.get(worker.encoder)
        if pool is None:
            return
        if worker.report.ready:
            pool.died_loading = 0
        for seat in pool.seats:
            if seat.successor is not worker:
                continue
            seat.successor = None
            seat.measure_at = time.monotonic() + self.limits.young_s
            if worker.report.refused or seat.worker is None:
                self._leaving.append(worker)
                continue
            log.warning("worker %s takes over from %s", worker.name, seat.worker.name)
            self._leaving.append(seat.worker)
            seat.worker = worker
            seat.restarts += 1

    def _gone(self, worker: Child) -> None:
        """Bury a worker, accuse what it was computing, and plan its seat's next start."""
        self._selector.unregister(worker.control)
        status = worker.bury()
        try:
            suspects.accuse(self.folder, worker.name)
        except OSError as error:  # a full disk must not end the router
            log.error("what worker %s died on is not known: %s", worker.name, error)
        now = time.monotonic()
        with self._changed:
            if worker in self._leaving:
                self._leaving.remove(worker)
            elif (pool := self._pools.get(worker.encoder)) is not None:
                log.warning("worker %s of %s ended (%d)", worker.name, worker.encoder, status)
                pool.died_loading += not worker.report.ready
                for seat in pool.seats:
                    if seat.successor is worker:
                        seat.successor = None
                        seat.measure_at = now + self.limits.young_s
                    elif seat.worker is worker:
                        seat.vacate(now)
                if worker.report.ready and not pool.ready():
                    pool.away_since = now
            worker.buried.set()
            self._changed.notify_all()

    def _end_idle(self) -> None:
        """End workers that nobody asks for, and those that have finished and were replaced."""
        oldest = time.monotonic() - self.limits.idle_s
        with self._changed:
            twins = self._twins()
            for pool in list(self._pools.values()):
                workers = pool.workers()
                if pool.encoder in twins or pool.asked_at > oldest:
                    continue
                if any(w.pending for w in workers):
                    continue
                log.warning("nobody asks for %s any more: it is unloaded", pool.encoder)
                del self._pools[pool.encoder]
                self._leaving += workers
            for worker in self._leaving:
                if not worker.pending:
                    worker.kill()  # its control socket's end brings it to `_gone`

    def _bound_memory(self) -> None:
        """Have a worker that holds too much memory replaced by a fresh one."""
        now = time.monotonic()
        if now - self._measured_at < MEMORY_EVERY_S:
            return
        self._measured_at = now
        with self._changed:
            pools = list(self._pools.values())
        for pool in pools:
            for seat in pool.seats:
                worker = seat.worker
                if worker is None or seat.successor or not worker.report.ready:
                    continue
                if now < seat.measure_at or (rss := worker.rss()) <= self.limits.memory_bytes:
                    continue
                seat.measure_at = now + self.limits.young_s
                log.warning(
                    "worker %s of %s holds %d MB, the bound is %d MB: a fresh one is started",
                    worker.name,
                    pool.encoder,
                    rss >> 20,
                    self.limits.memory_bytes >> 20,
                )
                seat.successor = self._start(pool.encoder, seat)

    def _all(self) -> list[Child]:
        return [w for pool in self._pools.values() for w in pool.workers()] + self._leaving

    # In the heartbeat's thread:

    def figures(self) -> dict[str, Any]:
        """Return what the console shows of the engine; counters since the router's start."""
        with self._changed:
            totals = self._totals.copy()
            workers = self._all()
            minute = self._last_minute.figures(totals)
            seats = [seat for pool in self._pools.values() for seat in pool.seats]
            away = {p.encoder for p in self._pools.values() if not p.ready()} - self._twins()
            restarts = {seat.worker.name: seat.restarts for seat in seats if seat.worker}
        rss = {worker.name: worker.rss() for worker in workers}
        return {
            "ready": True,
            "encoders": {w.encoder: w.report.runtime for w in workers if w.report.ready},
            "away": sorted(away),
            "stood_in_texts": self._stood_in,
            "texts": totals.texts,
            "encoded": totals.encoded,
            "queue_texts": sum(worker.report.queue_texts for worker in workers),
            "tokens": totals.tokens,
            "padding_tokens": totals.padding_tokens,
            "busy_s": round(totals.busy_s / self.limits.engines, 3),
            **self._latencies.percentiles_ms(),
            **minute,
            "workers": len(workers),
            "workers_mb": sum(rss.values()) >> 20,
            "restarts": sum(seat.restarts for seat in seats),
            "processes": [
                {
                    "encoder": worker.encoder,
                    "pid": worker.pid,
                    "state": _state(worker),
                    "rss_bytes": rss[worker.name],
                    "restarts": restarts.get(worker.name, 0),
                    "queue_texts": worker.pending,
                    **worker.latencies.percentiles_ms(),
                }
                for worker in workers
            ],
        }


def _state(worker: Child) -> str:
    if worker.report.refused:
        return f"refused: {worker.report.refused}"
    return "ready" if worker.report.ready else "loading"
