"""Which texts to encode together: as little padding as pays.

A batch costs its tokens, padding included, and something for itself: many small batches waste no
tokens, few large ones no starts. Texts are sorted by length; where to cut is decided by dynamic
programming over the padded lengths, of which there are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

BUCKET = 16
"""Lengths are rounded up to a multiple of this: fewer shapes to compile for, at most 15 tokens of
padding. With 8, OpenVINO sums attention in another order, and a vector depends on its neighbours."""

BATCH_COST = 40
"""What a batch costs beside its tokens, in tokens (MiniLM in bf16, one thread: 2.2 ms a batch and
57 us a token)."""

SHARED = 256
"""Tokens of the least batch that what waits is cut down to. Smaller ones cost rate at a full queue."""


def bucket(length: int) -> int:
    """Return the padded length of a text of `length` tokens."""
    return -(-length // BUCKET) * BUCKET


def padded(lengths: Sequence[int]) -> int:
    """Return the tokens of one batch, padding included."""
    return len(lengths) * bucket(max(lengths))


def batches(lengths: Sequence[int], token_budget: int, streams: int = 1) -> list[list[int]]:
    """Group indices of `lengths` (tokens), longest first, each batch padded within the budget.

    A single text longer than the budget is a batch of its own. What is too little to fill two
    batches for every stream is shared among them: a stream is free again sooner for what comes.
    """
    places: dict[int, list[int]] = {}  # by padded length
    for n in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        places.setdefault(bucket(lengths[n]), []).append(n)
    widths = list(places)
    budget = token_budget
    if streams > 1:
        total = sum(width * len(places[width]) for width in widths)
        budget = min(budget, max(SHARED, math.ceil(total / (2 * streams))))
    planned: list[list[int]] = []
    for first, end in _runs(widths, [len(places[width]) for width in widths], budget):
        texts = [n for width in widths[first:end] for n in places[width]]
        planned += _split(texts, _pieces(len(texts), widths[first], budget))
    return planned


def _runs(widths: list[int], counts: list[int], budget: int) -> list[tuple[int, int]]:
    """Cut the widths, longest first, into runs that are padded to their first: the cheapest way."""
    cheapest = [0.0]  # up to each width
    begins = [0]
    for end in range(1, len(widths) + 1):
        options = []
        for first in range(end):
            texts = sum(counts[first:end])
            own = BATCH_COST * _pieces(texts, widths[first], budget)
            options.append((cheapest[first] + texts * widths[first] + own, first))
        cost, first = min(options)
        cheapest.append(cost)
        begins.append(first)
    runs = []
    end = len(widths)
    while end:
        runs.append((begins[end], end))
        end = begins[end]
    return runs[::-1]


def _pieces(texts: int, width: int, budget: int) -> int:
    """Return how many batches hold `texts` of one width."""
    return math.ceil(texts / max(1, budget // width))


def _split(texts: list[int], pieces: int) -> list[list[int]]:
    """Cut into `pieces` of nearly one size."""
    size, more = divmod(len(texts), pieces)
    ends = [size * (n + 1) + min(more, n + 1) for n in range(pieces)]
    return [texts[first:end] for first, end in zip([0, *ends], ends, strict=False)]
