"""Where an agent's embeddings came from: since its start, and over the last minutes."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from infra import metrics
from stream.embedding_cache import EmbeddingOrigin

WINDOW_S = 300.0
SLICE_S = 5.0  # what is forgotten at once: 60 numbers stand for five minutes


class EmbeddingOrigins:
    """Counts embeddings by origin; for any thread."""

    def __init__(self, window_s: float = WINDOW_S, slice_s: float = SLICE_S) -> None:
        self._window_s, self._slice_s = window_s, slice_s
        self._lock = threading.Lock()
        self._total: Counter[EmbeddingOrigin] = Counter()
        self._slices: deque[tuple[float, Counter[EmbeddingOrigin]]] = deque()  # began, counts

    def add(self, used: Mapping[EmbeddingOrigin, int]) -> None:
        """Count the embeddings of one batch, in the metrics too."""
        now = time.monotonic()
        for origin, number in used.items():
            metrics.EMBEDDINGS.labels(origin).inc(number)
        with self._lock:
            self._total.update(used)
            if not self._slices or now - self._slices[-1][0] >= self._slice_s:
                self._slices.append((now, Counter()))
            self._slices[-1][1].update(used)
            self._drop(now)

    def figures(self) -> dict[str, Any]:
        """Return what the console shows; `recent` holds the last `recent_s` seconds."""
        recent: Counter[EmbeddingOrigin] = Counter()
        with self._lock:
            self._drop(time.monotonic())
            for _, counts in self._slices:
                recent.update(counts)
            total = dict(self._total)
        return {
            "hits": total.get("hit", 0),
            "misses": total.get("miss", 0),
            "nears": total.get("near", 0),
            "recent": {origin: recent[origin] for origin in ("hit", "near", "miss")},
            "recent_s": self._window_s,
        }

    def _drop(self, now: float) -> None:
        while self._slices and self._slices[0][0] < now - self._window_s:
            self._slices.popleft()
