"""The workers of one encoder: how many, which of them takes a request, when the next one starts."""

from __future__ import annotations

from dataclasses import dataclass

from stream.engine_child import Child

HEALTHY_S = 5.0  # a worker that lived this long had started well: its death is a new trouble
BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 2.0
LOADS = 4  # deaths in a row while an encoder is loaded, before it is refused


@dataclass(frozen=True)
class Limits:
    """How many workers an encoder has, and when one is ended.

    `young_s`: a fresh worker is not measured sooner, so that a bound below what an encoder needs
    at all costs one start in that time.
    """

    engines: int = 1
    idle_s: float = 60.0
    memory_bytes: int = 3072 * 2**20
    young_s: float = 30.0


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
        """Take note of the worker's death: at once the first time, later after a pause."""
        if self.worker and self.worker.report.ready and self.worker.age_s >= HEALTHY_S:
            self.failures = 0
        pause_s = BACKOFF_S * 2 ** (self.failures - 1) if self.failures else 0.0
        self.due = now + min(LONGEST_BACKOFF_S, pause_s)
        self.failures += 1
        self.restarts += 1
        self.worker, self.successor = self.successor, None


@dataclass
class Pool:
    """The workers of one encoder."""

    encoder: str
    seats: list[Seat]
    asked_at: float
    died_loading: int = 0

    @property
    def given_up(self) -> bool:
        """Tell whether the encoder can only be refused: all who tried to load it have died."""
        return self.died_loading >= LOADS and not any(w.report.ready for w in self.candidates())

    def candidates(self) -> list[Child]:
        """Return whom requests may go to: the workers that are ready, else those that load."""
        living = [seat.worker for seat in self.seats if seat.worker]
        return [worker for worker in living if worker.report.ready] or living

    def workers(self) -> list[Child]:
        """Return all of them, those that warm up to take over included."""
        return [w for seat in self.seats for w in (seat.worker, seat.successor) if w]
