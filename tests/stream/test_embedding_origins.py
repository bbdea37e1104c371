"""Counting where embeddings came from."""

from __future__ import annotations

import time

from stream.embedding_origins import EmbeddingOrigins


def test_batches_add_up_in_total_and_lately() -> None:
    origins = EmbeddingOrigins()
    origins.add({"hit": 3, "miss": 1})
    origins.add({"near": 2, "miss": 1})
    assert origins.figures() == {
        "hits": 3,
        "misses": 2,
        "nears": 2,
        "recent": {"hit": 3, "near": 2, "miss": 2},
        "recent_s": 300.0,
    }


def test_what_is_older_than_the_window_counts_in_total_alone() -> None:
    origins = EmbeddingOrigins(window_s=0.1, slice_s=0.01)
    origins.add({"hit": 3})
    time.sleep(0.12)
    origins.add({"miss": 1})
    figures = origins.figures()
    assert figures["recent"] == {"hit": 0, "near": 0, "miss": 1}
    assert (figures["hits"], figures["misses"]) == (3, 1)
