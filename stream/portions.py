"""How much an agent answers at once: about half a second of the encoder's work.

A count of articles would not do: 256 headlines are a fifth of a second, 256 reports are three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

READ_BYTES = 2048
"""Of one article at most: what lies behind is beyond every encoder's window."""

MOST_RAW_BYTES = 16 * 1024 * 1024
"""Of one portion, read or not: it is in memory more than once on its way."""

Item = TypeVar("Item")


def portions(items: Sequence[Item], sizes: Sequence[int], most: int) -> Iterator[Sequence[Item]]:
    """Yield `items` in order, in portions of at most `most` bytes to read; `sizes` are in bytes.

    An item larger than a portion stands alone.
    """
    first, total, raw = 0, 0, 0
    for n, size in enumerate(sizes):
        weight = min(size, READ_BYTES)
        if first < n and (total + weight > most or raw + size > MOST_RAW_BYTES):
            yield items[first:n]
            first, total, raw = n, 0, 0
        total += weight
        raw += size
    if first < len(items):
        yield items[first:]
