"""The workers of one encoder: how many, which of them takes a request, when the next one starts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from stream.engine_child import Child

BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 2.0
LOADS = 4  # deaths in a row while an encoder is loaded, before it is refused


@dataclass(frozen=True)
class Limits:
    """How many workers an encoder has, and when one is ended.

    `young_s`: a fresh worker is not measured sooner, so that a bound below what an encoder needs
    at all costs one start in that time. `standby_after_s`: an encoder without a ready worker for so
    long is stood in for by its int8 twin; None: never.
    """

    engines: int = 1
    idle_s: float = 60.0
    memory_bytes: int = 3072 * 2**20
    young_s: float = 30.0
    standby_after_s: float | None = None


@dataclass
class Seat:
    """A place for one worker, whichever process holds it; `successor` warms up to take over."""

    number: int
    worker: Child | None = None
    successor: Child | None = None
    failures: int = 0
    restarts: int = 0
    due: float = 0.0  # monotonic: no start before
    measure_at: float = 0.0  # monotonic: no replacement before

    def vacate(self, now: float) -> None:
        """Take note of the worker's death: the next may start at once, or after a pause.

        Whatever ended one that had answered is a new trouble; one that never does is a crash loop.
        """
        if self.worker and self.worker.has_answered:
            self.failures = 0
        pause_s = BACKOFF_S * 2 ** (self.failures - 1) if self.failures else 0.0
        self.due = now + min(LONGEST_BACKOFF_S, pause_s)
        self.failures += 1
        self.restarts += 1
        self.worker, self.successor = self.successor, None


@dataclass
class Pool:
    """The workers of one encoder; `twin` is the encoder that stands in for it.

    Times are monotonic. No worker has been ready since `away_since`, where none is.
    """

    encoder: str
    seats: list[Seat]
    asked_at: float
    died_loading: int = 0
    away_since: float = field(default_factory=time.monotonic)
    twin: str | None = None
    twin_sought_at: float | None = None
    missed_twin: bool = False  # and said so

    @property
    def given_up(self) -> bool:
        """Tell whether the encoder can only be refused: all who tried to load it have died."""
        return self.died_loading >= LOADS and not self.ready()

    @property
    def is_refused(self) -> bool:
        """Tell whether a worker that lives has found that the encoder cannot be loaded."""
        return any(worker.report.refused for worker in self.living())

    def ready(self) -> list[Child]:
        """Return the workers that have loaded."""
        return [worker for worker in self.living() if worker.report.ready]

    def living(self) -> list[Child]:
        """Return the workers that are ready and those that load, without those that will replace."""
        return [seat.worker for seat in self.seats if seat.worker]

    def workers(self) -> list[Child]:
        """Return all of them, those that warm up to take over included."""
        return [w for seat in self.seats for w in (seat.worker, seat.successor) if w]
