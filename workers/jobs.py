"""Run jobs: claim the row, start the process, record what it says.

1. complete the specification with what serves, before the claim: it may wait for Kafka
2. claim the row by one conditional UPDATE; whoever comes second does nothing
3. start `ml.job` in a process group of its own and follow it
4. record its end, if the run is still ours

Truth is the row: a task sent twice, or delivered again after a lost connection, finds the row
claimed or ended and returns.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from console.runs.models import Run
from infra import names
from infra.settings import Settings
from stream.kafka import KafkaUnavailable
from workers import claims, retention, specification
from workers.child import JOB, Event
from workers.claims import Claim, Ending
from workers.supervision import Fenced, Killed, Stopped, Watch, watch

CANNOT_START = (specification.NothingServes, KafkaUnavailable)
log = logging.getLogger(__name__)


def perform(
    settings: Settings,
    run: uuid.UUID,
    *,
    command: Sequence[str] = JOB,
    stopping: Callable[[], bool] = lambda: False,
) -> Ending | None:
    """Run one queued run to its end and return it; None where it was not ours to run or to end."""
    row = Run.objects.filter(pk=run, state=Run.State.QUEUED).first()
    if row is None:
        log.info("run %s is not queued: somebody has it, or had it", run)
        return None
    asked = {**row.spec, "job": row.job}
    full = asked if row.job == names.RETENTION else _complete(settings, run, asked)  # 1
    folder = _folder(settings, run)
    held = claims.claim(run, str(folder / "log"))  # 2
    if held is None:
        return None
    if row.job == names.RETENTION:
        return _record(held, _retain(settings, folder))
    setup = _watch(settings, command, stopping=stopping)
    return _carry_out(held, full, folder, setup)


def _retain(settings: Settings, folder: Path) -> Ending:
    """Do the retention job, in this process: it deletes files and rows, and computes nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("a", encoding="utf-8") as file:

        def say(text: str) -> None:
            file.write(f"{text}\n")

        try:
            swept = retention.sweep(settings, retention.ever_deployed(settings), say)
        except (KafkaUnavailable, OSError) as error:
            say(str(error))
            return claims.failed(str(error))
        metrics = {
            "runs": swept.runs,
            "models": len(swept.models),
            "encoders": len(swept.encoders),
            "datasets": len(swept.datasets),
            "bytes": swept.bytes,
        }
        say(f"deleted: {metrics}")
    return Ending(Run.State.SUCCEEDED, {"event": "result", "metrics": metrics})


def perform_now(
    settings: Settings,
    spec: dict[str, Any],
    by: str,
    on_event: Callable[[Event], None],
    *,
    command: Sequence[str] = JOB,
) -> Run:
    """Run a job here and now, without a queue, and return its row.

    KeyboardInterrupt kills the job, records it as cancelled and is raised again.
    """
    run = uuid.uuid4()
    full = _complete(settings, run, spec)  # 1
    folder = _folder(settings, run)
    held = claims.begin(run, spec, by, str(folder / "log"))  # 2
    setup = _watch(settings, command, on_event=on_event)
    _carry_out(held, full, folder, setup)
    return Run.objects.get(pk=run)


def _watch(settings: Settings, command: Sequence[str], **more: Any) -> Watch:
    return Watch(
        command, settings.task_limit_s, settings.lease_s, memory_mb=settings.job_memory_mb, **more
    )


def _folder(settings: Settings, run: uuid.UUID) -> Path:
    return settings.home.resolve() / "runs" / str(run)


def _complete(settings: Settings, run: uuid.UUID, asked: dict[str, Any]) -> Event | Ending:
    try:
        return specification.complete(settings, str(run), asked)
    except CANNOT_START as error:
        return claims.failed(str(error))


def _carry_out(held: Claim, full: Event | Ending, folder: Path, setup: Watch) -> Ending | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(full, Ending):
            (folder / "log").write_text(f"{full.result['text']}\n")
            return _record(held, full)
        return _record(held, watch(held, full, folder, setup))  # 3, 4
    except Stopped:
        claims.release(held)
        return None
    except Killed:
        ending = claims.requeue(held)
        return _record(held, ending) if ending else None
    except Fenced:
        log.warning("run %s was taken over: its job was killed, nothing recorded", held.run)
        return None
    except KeyboardInterrupt:
        claims.finish(held, claims.cancelled("interrupted at the keyboard"))
        raise
    except OSError as error:  # no disk, no memory, no process
        return _record(held, claims.failed(f"the job could not be started or read: {error}"))


def _record(held: Claim, ending: Ending) -> Ending | None:
    return ending if claims.finish(held, ending) else None
