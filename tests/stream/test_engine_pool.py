"""When the next worker starts after one has died."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from stream.engine_child import Child
from stream.engine_pool import Seat


def starts(*answered: bool) -> list[float]:
    """Return how long a seat stays empty after each of several workers that died."""
    seat = Seat(0)
    pauses = []
    for has_answered in answered:
        seat.worker = cast("Child", SimpleNamespace(has_answered=has_answered))
        seat.vacate(100.0)
        pauses.append(seat.due - 100.0)
    return pauses


def test_a_worker_that_had_answered_is_started_again_at_once_however_often_it_dies() -> None:
    assert starts(True, True, True, True, True) == [0, 0, 0, 0, 0]


def test_workers_that_die_while_they_load_start_at_growing_distances() -> None:
    assert starts(*[False] * 7) == [0, 0.25, 0.5, 1, 2, 2, 2]
    assert starts(False, False, False, True, False) == [0, 0.25, 0.5, 0, 0.25]
