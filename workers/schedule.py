"""The periodic jobs: which, how often, and the slot that makes two schedulers give one run.

How often stands in the database (django-celery-beat), where the console changes it; the settings
give the first values. Importing this file needs Django to be set up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from celery.schedules import schedule as every_so_often
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from infra import names
from infra.settings import Settings

BY = "schedule"
DAY_S = 86_400.0
FINEST_S = 60.0  # of a crontab: it knows nothing shorter than a minute


@dataclass(frozen=True)
class Periodic:
    """A periodic job as a fresh installation has it."""

    job: str
    every_s: float
    enabled: bool
    meaning: str


def periodic(settings: Settings) -> tuple[Periodic, ...]:
    """Return the periodic jobs of a fresh installation."""
    return (
        Periodic("refit", settings.refit_every_s, True, "fit the head on its dataset's newest"),
        Periodic("quantize", settings.quantize_every_s, True, "make an int8 encoder, fit on it"),
        Periodic("evaluate", 7 * DAY_S, True, "measure what serves on its test split again"),
        Periodic("finetune", 30 * DAY_S, False, "train the encoder on its dataset: half an hour"),
        Periodic("retention", DAY_S, True, "delete runs and versions that nothing needs"),
    )


def prepare(settings: Settings) -> None:
    """Write the jobs that are missing; what an operator has changed stays. May be run by several."""
    for entry in periodic(settings):
        interval = IntervalSchedule.from_schedule(every_so_often(timedelta(seconds=entry.every_s)))
        if interval.pk is None:
            interval.save()
        PeriodicTask.objects.get_or_create(
            name=names.scheduled_name(entry.job),
            defaults={
                "task": names.TASK_SCHEDULED,
                "args": json.dumps([entry.job]),
                "interval": interval,
                "enabled": entry.enabled,
                "description": entry.meaning,
            },
        )


def period_s(settings: Settings, job: str) -> float:
    """Return how often a job is asked for now, in seconds."""
    found = PeriodicTask.objects.filter(name=names.scheduled_name(job)).first()
    if found is None:
        return {entry.job: entry.every_s for entry in periodic(settings)}[job]
    if found.interval is None:
        return FINEST_S
    seconds: float = found.interval.schedule.run_every.total_seconds()
    return seconds


def slot(now_s: float, every_s: float) -> str:
    """Return the period that `now_s` (Unix time) lies in, named by its start."""
    start = int(now_s // every_s * every_s)
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
