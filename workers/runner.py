"""Run a job in the foreground, as `wireroom train` does: no worker and no Celery needed.

The run takes the same way as a worker's (claim, process, record), so the console shows it with
its progress, its log and its result, and cancels it. Only the database must be there; it is
migrated here where it is new.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import django
from django.core.management import call_command

from infra.settings import Settings
from workers.child import JOB, Event

JOBS = ("train", "refit", "quantize", "evaluate", "pretrain", "finetune", "compress")


@dataclass(frozen=True)
class Outcome:
    """What became of a run: its last state and the job's last line.

    `state` is succeeded, unchanged, refused, failed or cancelled. `result` is the job's `result`
    event, or `{"event": "error", "text": ...}`.
    """

    run: str
    state: str
    result: dict[str, Any]
    log_path: str


def execute(
    settings: Settings,
    spec: dict[str, Any],
    by: str,
    on_event: Callable[[Event], None],
    *,
    command: Sequence[str] = JOB,
) -> Outcome:
    """Run the job that `spec` names and return what became of it.

    `spec` holds `job` and what is to differ from what serves: `classifier`, `dataset`, `encoder`,
    `champion`. `on_event` gets every event of the job, from this thread. Raises ValueError on an
    unknown job; KeyboardInterrupt once the job is killed and recorded as cancelled.
    """
    if spec.get("job") not in JOBS:
        raise ValueError(f"job {spec.get('job')!r}: expected one of {', '.join(JOBS)}")
    os.environ.update(settings.environ())  # Django's settings are derived from them
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    settings.home.mkdir(parents=True, exist_ok=True)
    call_command("migrate", interactive=False, verbosity=0)
    # Here and not above: the models load only once Django is set up.
    from workers.jobs import perform_now

    row = perform_now(settings, spec, by, on_event, command=command)
    return Outcome(str(row.pk), row.state, row.result or {}, row.log_path)
