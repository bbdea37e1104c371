"""What the console shows of the engine: counters over all its processes, and its last minute."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, fields

from stream.engine_control import Report

WINDOW_S = 60.0
SAMPLE_S = 1.0


@dataclass
class Totals:
    """What all workers have done since the router's start, those that ended included."""

    texts: int = 0
    encoded: int = 0
    batches: int = 0
    tokens: int = 0
    padding_tokens: int = 0
    busy_s: float = 0.0

    def add(self, before: Report, after: Report) -> None:
        """Add what one worker did between two of its reports."""
        for field in fields(self):
            more = getattr(after, field.name) - getattr(before, field.name)
            setattr(self, field.name, getattr(self, field.name) + more)

    def copy(self) -> Totals:
        """Return them as they stand."""
        return Totals(**vars(self))


class Latencies:
    """Seconds from a request's arrival to its answer, of the last minute; for any thread."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, float]] = deque()  # when, seconds

    def add(self, seconds: float) -> None:
        """Note one answer."""
        now = time.monotonic()
        with self._lock:
            self._seen.append((now, seconds))
            while self._seen[0][0] < now - self._window_s:
                self._seen.popleft()

    def percentiles_ms(self) -> dict[str, float]:
        """Return p50, p95 and p99 in milliseconds; nothing where nobody asked."""
        oldest = time.monotonic() - self._window_s
        with self._lock:
            seconds = sorted(s for at, s in self._seen if at >= oldest)
        if not seconds:
            return {}
        last = len(seconds) - 1
        return {
            f"p{share}_ms": round(1000 * seconds[round(last * share / 100)], 1)
            for share in (50, 95, 99)
        }


class LastMinute:
    """How full the batches of the last minute were; for one thread."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Totals]] = deque()

    def sample(self, totals: Totals) -> None:
        """Take note of how far the counters are; more often than once a second changes nothing."""
        now = time.monotonic()
        if self._samples and now - self._samples[-1][0] < SAMPLE_S:
            return
        self._samples.append((now, totals.copy()))
        while self._samples[0][0] < now - WINDOW_S:
            self._samples.popleft()

    def figures(self, totals: Totals) -> dict[str, float]:
        """Return tokens a second, fill of a batch and share of padding; nothing where idle."""
        if not self._samples:
            return {}
        at, before = self._samples[0]
        batches = totals.batches - before.batches
        tokens = totals.tokens - before.tokens
        padding = totals.padding_tokens - before.padding_tokens
        if not batches or not tokens:
            return {}
        return {
            "tokens_per_s": round(tokens / max(SAMPLE_S, time.monotonic() - at), 1),
            "texts_per_batch": round((totals.encoded - before.encoded) / batches, 1),
            "tokens_per_batch": round(tokens / batches, 1),
            "padding_share": round(padding / (tokens + padding), 4),
        }
