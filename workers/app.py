"""The Celery app: workers that run jobs, and the scheduler that asks for the periodic ones.

    python -m celery -A workers.app worker -l warning --without-gossip --without-mingle
    python -m celery -A workers.app beat -l warning

Nothing else needs to be given: pool, concurrency, queues and the scheduler (which reads the
database, see workers/schedule.py) are set here. Messages carry a run's id or a job's name and nothing more; what is to
be done, and what has been done, stands in the database row. There is no result backend.

The tasks themselves are in workers/tasks.py, which Celery imports once Django is set up.
"""

from __future__ import annotations

import os
from typing import Any

import redis
import stamina
from celery import Celery, signals
from kombu import Exchange, Queue

from infra import names
from infra.settings import Settings, load
from stream import heartbeat
from workers.child import JOB

CONCURRENCY = 2  # one job, and beside it a short one or the schedule's ticks
VISIBILITY_MARGIN_S = 600  # for a task's waiting, start and end around its limit
TASKS_SERVER_S = 60.0  # how long a start waits for the tasks server
SAFE_POLICY = "noeviction"


class UnsafeSetup(SystemExit):
    """A setup in which jobs would be lost or run twice; ends the process with the reason."""


def configure(settings: Settings) -> dict[str, Any]:
    """Return Celery's configuration."""
    return {
        "broker_url": settings.tasks,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": settings.task_limit_s + VISIBILITY_MARGIN_S,
            "socket_keepalive": True,
        },
        "imports": ["workers.tasks"],
        "job_command": JOB,  # ours, not Celery's
        "result_backend": None,
        "task_ignore_result": True,
        # JSON alone: anything else in the queue is refused unread, a pickle above all.
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        "task_queues": [_queue(names.QUEUE_HEADS), _queue(names.QUEUE_ENCODERS)],
        "task_default_queue": names.QUEUE_HEADS,
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        # Threads, never forks: a task only starts a process and reads what it prints.
        "worker_pool": "threads",
        "worker_concurrency": CONCURRENCY,
        "worker_enable_remote_control": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # What an operator may change lies in the database alone: this is written there at each start.
        "beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler",
        "result_expires": None,  # nothing to clean up: no results are kept
        "beat_schedule": {
            names.RESCORE: {
                "task": names.TASK_RESCORE,
                "schedule": settings.rescore_every_s,
                # Those that a busy worker did not come to would all find the same.
                "options": {"expire_seconds": settings.rescore_every_s},
            }
        },
        "timezone": "UTC",
    }


def _queue(name: str) -> Queue:
    """Return a queue reached by its own name, as `send_task(queue=name)` of any client does."""
    return Queue(name, Exchange(name), routing_key=name)


def check(settings: Settings, configuration: Any, pool: str) -> None:
    """Refuse a setup that would lose jobs or run them twice; raises UnsafeSetup with the reason.

    `configuration` is Celery's in force, `pool` the module of its worker pool.
    """
    visible_s = configuration["broker_transport_options"].get("visibility_timeout", 0)
    if visible_s <= settings.task_limit_s:
        raise UnsafeSetup(
            f"visibility_timeout={visible_s} s is not above WIREROOM_TASK_LIMIT_S="
            f"{settings.task_limit_s} s: a task still running would be delivered again"
        )
    if pool.endswith("prefork"):
        raise UnsafeSetup("this worker's pool forks; use --pool=threads or solo")
    policy = _policy(settings.tasks)
    if policy != SAFE_POLICY:
        raise UnsafeSetup(
            f"WIREROOM_TASKS={settings.tasks}: maxmemory-policy is {policy}, which may drop tasks "
            f"and ledger; expected {SAFE_POLICY}"
        )


@stamina.retry(on=redis.ConnectionError, attempts=None, timeout=TASKS_SERVER_S)
def _policy(address: str) -> str:
    with redis.Redis.from_url(address, socket_timeout=5, decode_responses=True) as client:
        return str(client.info("memory")["maxmemory_policy"])


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")  # Celery sets Django up by it
settings = load()
app = Celery("wireroom")
app.conf.update(configure(settings))


@signals.worker_init.connect
def refuse_unsafe_setup(sender: Any, **_: Any) -> None:
    check(settings, sender.app.conf, sender.pool_cls.__module__)


@signals.beat_init.connect
def report_scheduler(**_: Any) -> None:
    heartbeat.start(settings, "scheduler", lambda: {"ready": True})
