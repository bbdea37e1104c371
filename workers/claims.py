"""Who holds a run, and every write to its row: conditional on a fencing token.

A run is `queued` until one worker's UPDATE ... WHERE state = 'queued' finds its row; that update
sets a fresh token, and every later write asks for it. A worker that was taken for dead (frozen,
cut off) and comes back finds another token and stops: it cannot overwrite its successor. The
database's clock alone measures leases, so that a worker with a wrong clock steals nothing.

Importing this file needs Django to be set up.
"""

from __future__ import annotations

import enum
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import stamina
from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from console.runs.models import Run
from infra import names

MAX_ATTEMPTS = 2  # a run that outlived two workers is taken for what killed them
MAX_ATTEMPTS_RESUMED = 25  # of a run that goes on from its checkpoint: each attempt gets further
RECORD_S = 60.0  # how long the end of a run waits for a database that is away
RESEND_S = 60.0  # after which a queued run's message is taken for lost; a double does no harm
DATABASE_AWAY = (OperationalError, InterfaceError)
log = logging.getLogger(__name__)


class Order(enum.Enum):
    """What the row tells its holder at each write."""

    GO_ON = "go on"
    CANCEL = "cancel"
    LOST = "lost"


@dataclass(frozen=True)
class Claim:
    """One worker's hold on one run."""

    run: uuid.UUID
    token: str


@dataclass(frozen=True)
class Ending:
    """How a run ended: its last state, and the job's last line or the reason there is none."""

    state: str
    result: dict[str, Any]


def failed(text: str) -> Ending:
    """Return a failure with its reason."""
    return Ending(Run.State.FAILED, {"event": "error", "text": text})


def cancelled(text: str) -> Ending:
    """Return a cancellation with its reason."""
    return Ending(Run.State.CANCELLED, {"event": "error", "text": text})


def most_attempts(job: str) -> int:
    """Return how many workers may die over a run of this job before it has failed."""
    return MAX_ATTEMPTS_RESUMED if job in names.ENCODER_JOBS else MAX_ATTEMPTS


def enter(job: str, slot: str, spec: dict[str, Any], by: str) -> Run | None:
    """Create the run of a job and slot; None where it is there already, whoever made it.

    Two calls at the same instant are told apart by the unique pair of job and slot.
    """
    run, new = Run.objects.get_or_create(job=job, slot=slot, defaults={"spec": spec, "by": by})
    return run if new else None


def claim(run: uuid.UUID, log_path: str) -> Claim | None:
    """Take a queued run; None where it is not queued, or somebody else was first."""
    token = uuid.uuid4().hex
    won = Run.objects.filter(pk=run, state=Run.State.QUEUED).update(
        state=Run.State.RUNNING,
        token=token,
        attempts=F("attempts") + 1,
        started_at=Now(),
        progress_at=Now(),
        stage="",
        done=0,
        total=0,
        metrics={},
        log_path=log_path,
    )
    return Claim(run, token) if won else None


def begin(run: uuid.UUID, spec: dict[str, Any], by: str, log_path: str) -> Claim:
    """Create a run that is running already, held by the caller: it was never queued.

    Should the caller die, nobody starts it again.
    """
    token = uuid.uuid4().hex
    Run.objects.create(
        pk=run,
        job=spec["job"],
        slot=str(run),
        spec=spec,
        by=by,
        state=Run.State.RUNNING,
        token=token,
        attempts=most_attempts(spec["job"]),
        log_path=log_path,
    )
    held = Claim(run, token)
    _held(held).update(started_at=Now(), progress_at=Now())
    return held


def write(held: Claim, **progress: Any) -> Order:
    """Write progress, which renews the lease; returns what the holder must do next."""
    if not _held(held).update(progress_at=Now(), **progress):
        return Order.LOST
    asked = Run.objects.filter(pk=held.run).values_list("cancel_requested", flat=True).first()
    return Order.CANCEL if asked else Order.GO_ON


@stamina.retry(on=DATABASE_AWAY, attempts=None, timeout=RECORD_S)
def finish(held: Claim, ending: Ending) -> bool:
    """Record the end; False where the run is no longer ours. Waits for a database that is away."""
    return bool(
        _held(held).update(
            state=ending.state, result=ending.result, progress_at=Now(), ended_at=Now()
        )
    )


@stamina.retry(on=DATABASE_AWAY, attempts=None, timeout=RECORD_S)
def release(held: Claim) -> bool:
    """Put the run back, as if it had not been claimed: its worker was asked to stop."""
    return bool(
        _held(held).update(
            state=Run.State.QUEUED,
            token="",
            attempts=F("attempts") - 1,
            started_at=None,
            progress_at=Now(),
        )
    )


@stamina.retry(on=DATABASE_AWAY, attempts=None, timeout=RECORD_S)
def requeue(held: Claim) -> Ending | None:
    """Queue a run again whose job was killed; its failure where it has been so too often."""
    run = _held(held).first()
    if run is None:
        return None
    if run.attempts >= most_attempts(run.job):
        return failed(f"killed by SIGKILL (attempt {run.attempts} of {most_attempts(run.job)})")
    _held(held).update(state=Run.State.QUEUED, token="", progress_at=Now())
    return None


def take_over(lease_s: float, resend_s: float = RESEND_S) -> list[Run]:
    """Find the runs that nobody works on, and return those whose task must be sent (again).

    A run whose lease ran out is queued once more; the second time it has failed, visibly. A run
    queued for `resend_s` is returned too: its message may be lost with the tasks server.
    """
    lost = Run.objects.filter(
        state=Run.State.RUNNING, progress_at__lt=Now() - timedelta(seconds=lease_s)
    )
    again = [run for run in lost if _bereave(run, lost)]
    waiting = Run.objects.annotate(seen_at=Coalesce("progress_at", "created_at")).filter(
        state=Run.State.QUEUED, seen_at__lte=Now() - timedelta(seconds=resend_s)
    )
    return again + [run for run in waiting if waiting.filter(pk=run.pk).update(progress_at=Now())]


def _bereave(run: Run, lost: QuerySet[Run]) -> bool:
    """Queue the run of a dead worker once more (True) or end it, unless its lease was renewed."""
    log.warning("run %s: its worker was last seen at %s", run.pk, run.progress_at)
    mine = lost.filter(pk=run.pk, token=run.token)
    if not run.cancel_requested and run.attempts < most_attempts(run.job):
        return bool(mine.update(state=Run.State.QUEUED, token="", progress_at=Now()))
    ending = (
        cancelled("cancelled; its worker had died")
        if run.cancel_requested
        else failed(
            f"the process that ran it died (attempt {run.attempts} of "
            f"{most_attempts(run.job)}); "
            f"last seen {run.progress_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    )
    mine.update(state=ending.state, result=ending.result, ended_at=Now())
    return False


def _held(held: Claim) -> QuerySet[Run]:
    return Run.objects.filter(pk=held.run, token=held.token, state=Run.State.RUNNING)
