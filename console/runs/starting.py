"""Asking for a run, and asking for its end: rows and messages, no work."""

from __future__ import annotations

import functools
import logging
import uuid
from typing import Any

import kombu.exceptions
from celery import Celery
from django.utils import timezone

from console.runs.models import Run
from infra import names

ANSWER_S = 2.0
log = logging.getLogger(__name__)


@functools.cache
def _celery(tasks: str) -> Celery:
    """Return a client that only sends."""
    client = Celery("wireroom-console", broker=tasks, set_as_current=False)
    client.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        broker_transport_options={
            "socket_timeout": ANSWER_S,
            "socket_connect_timeout": ANSWER_S,
        },
    )
    return client


def start(tasks: str, job: str, spec: dict[str, Any], by: str) -> tuple[Run, bool]:
    """Queue a run; return it, and whether its message was sent.

    Without the message nothing is lost: the workers look for queued runs by themselves.
    """
    number = uuid.uuid4()
    run = Run.objects.create(id=number, job=job, slot=str(number), spec=spec, by=by)
    try:
        sent = _celery(tasks).send_task(
            names.TASK_RUN, args=[str(number)], queue=names.queue_of(job), retry=False
        )
    except (kombu.exceptions.OperationalError, OSError) as error:
        log.warning("run %s is queued, its message could not be sent: %s", number, error)
        return run, False
    Run.objects.filter(id=number).update(celery_id=str(sent.id)[:50])
    return run, True


def cancel(number: uuid.UUID) -> bool:
    """End a queued run at once, or ask the worker of a running one; False where it has ended."""
    queued = Run.objects.filter(id=number, state=Run.State.QUEUED)
    if queued.update(state=Run.State.CANCELLED, ended_at=timezone.now(), cancel_requested=True):
        return True
    running = Run.objects.filter(id=number, state=Run.State.RUNNING)
    return bool(running.update(cancel_requested=True))
