"""Watch one claimed run's process from its start to its end, and write down what it says.

Importing this file needs Django to be set up.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.runs.models import Run
from infra.names import ENCODER_JOBS
from workers import claims
from workers.child import Child, Event
from workers.claims import Claim, Ending, Order

READ_S = 0.25  # how long the watch waits for the job's next line
WRITE_S = 0.5  # at most two writes a second, however chatty the job
WEIGH_S = 1.0  # between two looks at the memory of a job's processes
SILENT_S = 2.0  # a silent job's row is written too: that reads the cancel request
JUDGES_ONLY = "evaluate"  # makes no candidate, so there is nothing to refuse
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """What one watch needs: the job's command, its limits, and whom to tell.

    `limit_s`: the job is killed after so long. `lease_s`: a row not written for so long is lost.
    `memory_mb`: it is killed where its processes take more together; 0: no limit.
    `stopping` tells that the worker has been asked to end; `on_event` gets every event.
    """

    command: Sequence[str]
    limit_s: float
    lease_s: float
    memory_mb: int = 0
    stopping: Callable[[], bool] = lambda: False
    on_event: Callable[[Event], None] = lambda _event: None


@dataclass
class Progress:
    """What a job has said so far, as the row shows it."""

    stage: str = ""
    done: int = 0
    total: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    last: Event | None = None

    def take(self, event: Event) -> bool:
        """Add one event; tell whether the row changes by it."""
        match event:
            case {"event": "progress", "stage": str(stage)}:
                self.stage = stage[:50]
                self.done = int(event.get("done") or 0)
                self.total = int(event.get("total") or 0)
            case {"event": "metric", "name": str(name), "value": value}:
                self.metrics[name] = value
            case {"event": "result" | "error"}:
                self.last = event
                self.metrics |= event.get("metrics") or {}
            case _:
                return False
        return True

    def columns(self) -> dict[str, Any]:
        """Return the row's columns."""
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "metrics": self.metrics,
        }


class Stopped(Exception):
    """The worker was asked to end: the run goes back into the queue."""


class Killed(Exception):
    """Somebody killed the job, not we: where it has a checkpoint it can go on from there."""


class Fenced(Exception):
    """The run belongs to somebody else now: stop, and write nothing more."""


def watch(held: Claim, specification: Event, folder: Path, setup: Watch) -> Ending:
    """Run the job and return how it ended; leaves no process behind, whatever happens.

    Raises Stopped where `setup.stopping` says so, Fenced where the claim was lost, Killed where the
    job of a kind that goes on from checkpoints was ended by a SIGKILL that was not ours.
    """
    progress = Progress()
    with Child(setup.command, specification, folder) as child:
        ending = _follow(child, held, progress, setup)
        code = child.kill()
        for event in child.drain():
            _tell(event, progress, setup)
        if ending is None and code == -signal.SIGKILL and specification["job"] in ENCODER_JOBS:
            child.note("killed by SIGKILL; it goes on from its last checkpoint")
            raise Killed
        if ending is None:
            ending = _ending(specification["job"], code, progress.last)
        if ending.state in (Run.State.FAILED, Run.State.CANCELLED):
            child.note(str(ending.result.get("text", "")))
    if _write(held, progress) is Order.LOST:
        raise Fenced
    return ending


def _follow(child: Child, held: Claim, progress: Progress, setup: Watch) -> Ending | None:
    """Read the job until it ends (None) or must be ended (why)."""
    until = time.monotonic() + setup.limit_s
    written, changed = time.monotonic(), False
    weighed = 0.0
    while not child.ended:
        for event in child.read(READ_S):
            changed |= _tell(event, progress, setup)
        now = time.monotonic()
        if setup.stopping():
            raise Stopped
        if now >= until:
            return claims.failed(f"killed: it ran longer than {setup.limit_s:g} s")
        if setup.memory_mb and now >= weighed + WEIGH_S:
            weighed = now
            if (used := child.memory_mb()) > setup.memory_mb:
                return claims.failed(
                    f"killed: its processes took {used:,} MB; the limit "
                    f"WIREROOM_JOB_MEMORY_MB is {setup.memory_mb:,}"
                )
        if now - written < (WRITE_S if changed else min(SILENT_S, setup.lease_s / 4)):
            continue
        written, changed = now, False
        order = _write(held, progress)
        if order is Order.LOST:
            raise Fenced
        if order is Order.CANCEL:
            return claims.cancelled("cancelled on request")
    return None


def _tell(event: Event, progress: Progress, setup: Watch) -> bool:
    changed = progress.take(event)
    setup.on_event(event)
    return changed


def _write(held: Claim, progress: Progress) -> Order:
    """Write progress; a database that is away for a moment does not end a training."""
    try:
        return claims.write(held, **progress.columns())
    except claims.DATABASE_AWAY as error:
        log.warning("run %s: progress not written: %s", held.run, error)
        return Order.GO_ON


def _ending(job: str, code: int, last: Event | None) -> Ending:
    """Read a job's own end: its exit code and its last line must agree."""
    if code < 0:
        return claims.failed(f"killed by {signal.Signals(-code).name}")
    if last is None or last["event"] == "error" or code != 0:
        said = str(last.get("text", "")) if last and last["event"] == "error" else ""
        return claims.failed(said or f"ended with exit code {code} and no result; see its log")
    if job == JUDGES_ONLY:
        return Ending(Run.State.SUCCEEDED, last)
    if last.get("unchanged"):
        return Ending(Run.State.UNCHANGED, last)
    if last.get("deployable") is False:
        return Ending(Run.State.REFUSED, last)
    return Ending(Run.State.SUCCEEDED, last)
