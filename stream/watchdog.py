"""Alive means progress: an agent with lag that commits nothing ends itself and is started again.

Faust can stall without a word: a fetcher that died, a rebalance that never ends. From outside
the process looks healthy. So a thread compares what Kafka holds with what was committed.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from infra import metrics, names
from infra.settings import Settings
from stream import kafka

log = logging.getLogger(__name__)

EVERY_S = 5.0


class Watchdog:
    """Watches one agent's partitions from a thread of its own."""

    def __init__(self, settings: Settings, stalled: Callable[[str], None]) -> None:
        self._settings = settings
        self._stalled = stalled
        self._lock = threading.Lock()
        self._next: dict[int, int] = {}
        self._commit_at: dict[int, float] = {}
        self._progress_at = time.monotonic()
        self.lag: dict[int, int] = {}

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def assigned(self, next_offsets: dict[int, int]) -> None:
        """Watch these partitions, committed up to `next_offsets`."""
        with self._lock:
            self._next = dict(next_offsets)
            self._commit_at = dict.fromkeys(next_offsets, time.monotonic())
            self._progress_at = time.monotonic()
            self.lag = {}

    def committed(self, next_offsets: dict[int, int]) -> None:
        """Note progress."""
        now = time.monotonic()
        with self._lock:
            self._next.update(next_offsets)
            self._commit_at.update(dict.fromkeys(next_offsets, now))
            self._progress_at = now

    def result_age_s(self) -> dict[int, float]:
        """Return the seconds since each partition's last commit."""
        now = time.monotonic()
        with self._lock:
            return {p: now - at for p, at in sorted(self._commit_at.items())}

    def _watch(self) -> None:
        topic = self._settings.topic(names.ARTICLES.name)
        reader = kafka.consumer(self._settings)
        while True:
            time.sleep(EVERY_S)
            try:
                ends = {p: high for p, (_, high) in kafka.bounds(reader, topic).items()}
            except kafka.KafkaUnavailable as error:
                log.warning("the watchdog cannot see the lag: %s", error)
                with self._lock:
                    self._progress_at = time.monotonic()  # no broker, no progress to expect
                continue
            self._judge(ends)

    def _judge(self, ends: dict[int, int]) -> None:
        with self._lock:
            self.lag = {p: max(0, ends[p] - offset) for p, offset in sorted(self._next.items())}
            idle_s = time.monotonic() - self._progress_at
            lag = sum(self.lag.values())
            if not lag:
                self._progress_at = time.monotonic()
        for partition, count in self.lag.items():
            metrics.LAG.labels(partition).set(count)
        for partition, age_s in self.result_age_s().items():
            metrics.RESULT_AGE.labels(partition).set(age_s)
        if lag and idle_s > self._settings.stall_s:
            self._stalled(f"{lag} articles wait and nothing was committed for {idle_s:.0f} s")


def end_process(reason: str) -> None:
    """End this process at once, as a crash would: nothing uncommitted becomes visible."""
    log.error("the agent ends itself: %s", reason)
    logging.shutdown()
    os._exit(70)
