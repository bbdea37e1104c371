"""Load that does not wait for answers: requests come when they come, and latency counts from then."""

from __future__ import annotations

import random
from collections.abc import Sequence


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return when requests come, in seconds from the start: a Poisson process of `rate` a second.

    Always the same ones for a seed.
    """
    draw = random.Random(seed)
    times: list[float] = []
    at = draw.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += draw.expovariate(rate)
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a `share` (0 to 1) of `values` does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
