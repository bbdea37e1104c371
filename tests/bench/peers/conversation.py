"""A peer's side of the talk: one line of JSON in, one out."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Encode = Callable[[list[str]], np.ndarray]
"""Texts to embeddings float32 `(N, D)`, tokenizing included."""

BATCH = 32
"""Texts of a batch: what the libraries' documentation shows."""


def answer(load: Callable[[], Encode]) -> None:
    """Load the peer, say that it is ready, and time it on the texts of every line.

    A line is `{"texts": [...], "vectors": bool}`; the answer has `seconds`, and the embeddings as
    base64 of float32 where they were asked for.
    """
    # Libraries print on standard output what belongs on standard error.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    encode = load()
    _say(out, {"ready": True})
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        started = time.perf_counter()
        vectors = encode(order["texts"])
        reply: dict[str, Any] = {"seconds": time.perf_counter() - started}
        if order["vectors"]:
            rows = np.ascontiguousarray(vectors, np.float32)
            reply |= {"shape": rows.shape, "vectors": base64.b64encode(rows.tobytes()).decode()}
        _say(out, reply)


def _say(out: Any, reply: dict[str, Any]) -> None:
    out.write(json.dumps(reply) + "\n")
    out.flush()


def in_arrival_order(texts: Sequence[str]) -> list[list[int]]:
    """Return the places of texts in batches, as they come."""
    places = list(range(len(texts)))
    return [places[n : n + BATCH] for n in range(0, len(places), BATCH)]


def by_length(lengths: Sequence[int], batch: int) -> list[list[int]]:
    """Return the places of texts in batches of like length, the longest first."""
    places = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    return [places[n : n + batch] for n in range(0, len(places), batch)]


def pad(rows: Sequence[Sequence[int]], multiple: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and mask, int64 `(B, T)`, T the longest's length rounded up to `multiple`."""
    width = -(-max(map(len, rows)) // multiple) * multiple
    ids, mask = np.zeros((2, len(rows), width), np.int64)
    for n, row in enumerate(rows):
        ids[n, : len(row)] = row
        mask[n, : len(row)] = 1
    return ids, mask
