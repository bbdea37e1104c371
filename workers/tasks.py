"""The three tasks, and the worker's upkeep: thin, idempotent, and may be run twice.

Celery imports this file once Django is set up.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import Any

import kombu.exceptions
import redis
from celery import signals
from django.db import connection

from console.runs.models import Run
from infra import names
from stream import heartbeat, kafka, publisher, rescoring
from workers import claims, explaining, jobs, schedule
from workers.app import app, settings

stopping = threading.Event()
running: set[str] = set()
one_encoder = threading.Lock()
rescoring_now = threading.Lock()
log = logging.getLogger(__name__)


@app.task(name=names.TASK_RUN)
def run(run_id: str) -> None:
    """Run a queued run; nothing happens where it is not queued.

    One that rebuilds an encoder waits while another does in this worker, so that there is always
    room for a head, which takes seconds. A job that was killed and has checkpoints is sent again.
    """
    entered = Run.objects.filter(pk=run_id).first()
    heavy = entered is not None and names.queue_of(entered.job) == names.QUEUE_ENCODERS
    if heavy and not one_encoder.acquire(blocking=False):
        return  # upkeep sends it again
    running.add(run_id)
    try:
        jobs.perform(
            settings, uuid.UUID(run_id), command=app.conf.job_command, stopping=stopping.is_set
        )
    finally:
        running.discard(run_id)
        if heavy:
            one_encoder.release()
    if heavy and not stopping.is_set():
        send_next()


def send_next() -> None:
    """Send the oldest queued run that rebuilds an encoder: this worker has room for it now."""
    queued = Run.objects.filter(state=Run.State.QUEUED).order_by("created_at")
    heavy = (run for run in queued if names.queue_of(run.job) == names.QUEUE_ENCODERS)
    if (oldest := next(heavy, None)) is not None:
        send(oldest)


@app.task(name=names.TASK_SCHEDULED)
def scheduled(job: str) -> None:
    """Queue a periodic job's run of this period, unless another scheduler has."""
    period = schedule.slot(time.time(), schedule.period_s(settings, job))
    entered = claims.enter(job, period, {"job": job}, schedule.BY)
    if entered is not None:
        send(entered)


@app.task(name=names.TASK_RESCORE)
def rescore() -> None:
    """Have degraded results answered again, unless that is being done."""
    if not rescoring_now.acquire(blocking=False):
        return
    try:
        rescoring.rescore(settings)
    except (kafka.KafkaUnavailable, publisher.PublishFailed, redis.RedisError) as error:
        log.warning("degraded results wait: %s", error)
    finally:
        rescoring_now.release()


def send(entered: Run) -> None:
    """Send a run's task; a tasks server that is away is no loss, upkeep sends it again."""
    try:
        app.send_task(names.TASK_RUN, args=[str(entered.pk)], queue=names.queue_of(entered.job))
    except kombu.exceptions.OperationalError as error:
        log.warning("run %s waits for the tasks server: %s", entered.pk, error)


def keep_up() -> None:
    """Take over what dead workers left, for as long as this worker lives."""
    resend_s = 0.0  # at the start: whatever is queued may have lost its message
    while not stopping.is_set():
        try:
            for entered in claims.take_over(settings.lease_s, resend_s):
                send(entered)
            resend_s = claims.RESEND_S
        except claims.DATABASE_AWAY as error:
            log.warning("upkeep waits for the database: %s", error)
        except Exception:
            log.exception("upkeep failed")
        finally:
            connection.close()
        stopping.wait(settings.lease_s / 3)


@signals.beat_init.connect
def prepare_schedule(**_: Any) -> None:
    schedule.prepare(settings)


@signals.worker_ready.connect
def start_upkeep(**_: Any) -> None:
    threading.Thread(target=keep_up, name="upkeep", daemon=True).start()
    explaining.start(settings, stopping.is_set)
    heartbeat.start(settings, "worker", lambda: {"ready": True, "running": sorted(running)})


@signals.worker_shutting_down.connect
def stop_jobs(**_: Any) -> None:
    stopping.set()
