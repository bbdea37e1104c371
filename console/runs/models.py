"""Runs: one row is one execution of a job, from the request to its result."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Run(models.Model):
    """One execution of a job. The console and the schedule create it `queued`; a worker does the rest.

    A worker claims it with one UPDATE ... WHERE state = 'queued' that also sets `token`, and every
    later write names that token: a worker that was taken for dead cannot overwrite its successor.
    `cancel_requested` is set by the console and read by the worker that holds the run; a run that
    is still queued is cancelled by the console itself, with the same conditional UPDATE.
    """

    class Job(models.TextChoices):
        TRAIN = "train"
        REFIT = "refit"
        QUANTIZE = "quantize"
        EVALUATE = "evaluate"
        PRETRAIN = "pretrain"
        FINETUNE = "finetune"
        COMPRESS = "compress"
        RETENTION = "retention"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        UNCHANGED = "unchanged"
        REFUSED = "refused"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED: ClassVar[frozenset[str]] = frozenset(
        (State.SUCCEEDED, State.UNCHANGED, State.REFUSED, State.FAILED, State.CANCELLED)
    )

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.CharField(max_length=20, choices=Job.choices)
    slot = models.CharField(
        max_length=100, help_text="the period of a scheduled run; for a run by hand its own id"
    )
    token = models.CharField(max_length=32, blank=True, help_text="of the worker that claimed it")
    state = models.CharField(max_length=20, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(max_length=50, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0, help_text="0: not known")
    metrics = models.JSONField(default=dict)
    spec = models.JSONField(default=dict, help_text="the job's specification as it was asked for")
    result = models.JSONField(null=True, help_text="the job's last line; null until it ends")
    log_path = models.CharField(max_length=500, blank=True)
    by = models.CharField(max_length=150, help_text="who asked for it; 'schedule'")
    cancel_requested = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="claims so far; a run whose worker died twice has failed"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    progress_at = models.DateTimeField(null=True, help_text="when its worker last wrote to it")
    ended_at = models.DateTimeField(null=True)
    celery_id = models.CharField(max_length=50, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="one_run_per_slot")]
        indexes = [
            models.Index(fields=["-created_at"], name="run_newest"),
            models.Index(fields=["state", "-created_at"], name="run_state_newest"),
        ]
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.job} {self.id}"

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will be written to this run."""
        return self.state in self.ENDED
