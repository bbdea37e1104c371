"""How alike two texts must be for one to take the other's embedding, as measured by encoder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """From which similarity (`stream.near`) on texts may share an embedding; `window` in tokens."""

    window: int
    similarity: float


BOUNDS = {"minilm-l6+17e1": Bound(window=256, similarity=0.9)}
"""By encoder id: what was measured of one encoder holds for no other."""

OTHER_LABELS = 0.005
"""The share of near results whose label may differ from the one that their own text gets."""
