from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from console.runs.models import Run
from infra import names, ports
from infra.settings import Settings
from stream import heartbeat
from tests.workers.plays import PROGRESS, SUCCESS, alive, wait_for
from tests.workers.processes import Processes, kill
from workers import claims

Queue = Callable[..., Run]


@pytest.fixture
def processes(installation: Settings) -> Iterator[Processes]:
    port = ports.choose()
    settings = replace(
        installation, tasks=f"redis://127.0.0.1:{port}/0", refit_every_s=10.0, task_limit_s=60
    )
    started = Processes(settings, port)
    started.tasks_server()
    yield started
    started.stop()


def state(run: Run) -> str:
    return Run.objects.values_list("state", flat=True).get(pk=run.pk)


def started_jobs(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_a_killed_workers_run_is_started_once_more_and_then_fails(
    processes: Processes, queued: Queue, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    run = queued(f"count {starts}", PROGRESS, "sleep 600")
    first = processes.worker("first")
    processes.send(run)
    (job,) = wait_for(lambda: started_jobs(starts), 5)

    kill(first)
    wait_for(lambda: not alive(job), 2)  # no training that nobody records
    assert state(run) == "running"

    second = processes.worker("second")
    wait_for(lambda: len(started_jobs(starts)) == 2, 8)
    job = started_jobs(starts)[1]
    kill(second)
    wait_for(lambda: not alive(job), 2)

    wait_for(lambda: claims.take_over(processes.settings.lease_s) or state(run) == "failed", 5)
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("failed", 2)
    assert run.result is not None
    assert "died (attempt 2 of 2)" in run.result["text"]
    assert len(started_jobs(starts)) == 2


def test_a_stopped_workers_run_goes_on_with_the_next_worker(
    processes: Processes, queued: Queue, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    run = queued(f"count {starts}", PROGRESS, "sleep 2", SUCCESS)
    worker = processes.worker("first")
    processes.send(run)
    wait_for(lambda: started_jobs(starts), 5)

    worker.terminate()
    assert worker.wait(timeout=10) == 0
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("queued", 0)

    processes.worker("second")  # nobody sends the task again
    wait_for(lambda: state(run) == "succeeded", 8)
    run.refresh_from_db()
    assert (run.attempts, len(started_jobs(starts))) == (1, 2)


def test_two_schedulers_give_one_run_per_slot(processes: Processes) -> None:
    processes.worker()
    for name in ("scheduler-1", "scheduler-2"):
        processes.celery(name, "beat", "--pidfile", "")

    def ticks() -> int:
        return processes.log("worker").count("Task wireroom.scheduled")

    wait_for(lambda: ticks() >= 4, 25)  # received and succeeded, twice

    runs = list(Run.objects.values_list("job", "slot", "by"))
    assert runs
    assert len(runs) == len(set(runs)) <= 2  # two where the ticks lie around a slot's end
    assert {(job, by) for job, _, by in runs} == {("refit", "schedule")}
    roles = {report["name"]: report["role"] for report in heartbeat.read_all(processes.settings)}
    assert roles == {"worker": "worker", "scheduler-1": "scheduler", "scheduler-2": "scheduler"}


def test_a_worker_survives_junk_and_a_restart_of_its_queue(
    processes: Processes, queued: Queue, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    before = queued(f"count {starts}", SUCCESS, job="evaluate")
    during = queued(f"count {starts}", PROGRESS, "sleep 4", SUCCESS)
    after = queued(f"count {starts}", SUCCESS, job="quantize", dataset="r8", encoder="minilm-l6")
    processes.worker()

    with redis.Redis.from_url(processes.settings.tasks) as client:
        client.lpush(names.QUEUE_HEADS, pickled_task())
    processes.send(before)
    processes.send(before)
    wait_for(lambda: state(before) == "succeeded", 8)
    assert "ContentDisallowed" in processes.log("worker")
    assert not (tmp_path / "pickled").exists()

    processes.send(during)
    wait_for(lambda: state(during) == "running", 5)
    kill(processes.started[0])
    processes.tasks_server()
    wait_for(lambda: state(during) == "succeeded", 15)
    processes.send(after, queue=names.QUEUE_ENCODERS)
    wait_for(lambda: state(after) == "succeeded", 15)
    assert len(started_jobs(starts)) == 3


def pickled_task() -> str:
    """Return a message as Celery writes it, whose body is not JSON but a pickle."""
    return json.dumps(
        {
            "body": "gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAV0b3VjaJSFlFKULg==",
            "content-type": "application/x-python-serialize",
            "content-encoding": "binary",
            "headers": {"task": names.TASK_RUN, "id": "1", "lang": "py"},
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": "1",
                "delivery_info": {"exchange": "", "routing_key": names.QUEUE_HEADS},
            },
        }
    )


def test_a_worker_that_would_fork_is_refused(processes: Processes) -> None:
    process = processes.celery("worker", "worker", "--pool", "processes")

    assert process.wait(timeout=20) == 1
    assert "this worker's pool forks; use --pool=threads or solo" in processes.log("worker")
