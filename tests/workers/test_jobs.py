from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import connection

from console.runs.models import Run
from infra.settings import Settings
from tests.workers.plays import (
    ACCURACY,
    PLAY_JOB,
    PROGRESS,
    REFUSED,
    RESULT,
    SUCCESS,
    UNCHANGED,
    WORSE,
    alive,
    wait_for,
)
from workers import claims, jobs

Queue = Callable[..., Run]


def perform(settings: Settings, run: Run, **options: Any) -> Run:
    jobs.perform(settings, run.pk, command=PLAY_JOB, **options)
    return Run.objects.get(pk=run.pk)


def in_background(settings: Settings, run: Run) -> threading.Thread:
    def work() -> None:
        perform(settings, run)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: Run.objects.get(pk=run.pk).stage == "encode", 5)
    return thread


def assert_childless(run: Run) -> None:
    """The process that a `family` job started is gone (a killed one needs an instant)."""
    child = int(Path(run.log_path).read_text().split()[1])
    wait_for(lambda: not alive(child), 1)


def test_a_job_is_recorded_with_progress_metrics_result_and_log(
    installation: Settings, queued: Queue
) -> None:
    run = perform(installation, queued(PROGRESS, ACCURACY, "a plain line", SUCCESS))

    assert (run.state, run.stage, run.done, run.total) == ("succeeded", "encode", 120, 7674)
    assert run.metrics == {"accuracy": 0.964}
    assert run.result == RESULT
    assert Path(run.log_path) == installation.home / "runs" / str(run.pk) / "log"
    assert Path(run.log_path).read_text() == "a plain line\n"
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.started_at <= run.ended_at


def test_a_job_is_told_where_and_what_and_how(installation: Settings, queued: Queue) -> None:
    run = perform(installation, queued("spec", SUCCESS, dataset="r8"))

    assert json.loads(Path(run.log_path).read_text()) == {
        "job": "train",
        "home": str(installation.home),
        "classifier": "topic",
        "dataset": "r8",
        "champion": None,
        "margin": 0.005,
        "run": str(run.pk),
        "runtime": "auto",
        "precision": "auto",
        "threads": 0,
        "play": ["spec", SUCCESS],
    }


def test_a_candidate_worse_than_what_serves_is_refused_with_its_reasons(
    installation: Settings, queued: Queue
) -> None:
    run = perform(installation, queued(REFUSED))

    assert run.state == "refused"
    assert run.result is not None
    assert run.result["reasons"] == [WORSE]


def test_equal_inputs_end_unchanged(installation: Settings, queued: Queue) -> None:
    assert perform(installation, queued(UNCHANGED)).state == "unchanged"


def test_an_evaluation_succeeds_whatever_it_finds(installation: Settings, queued: Queue) -> None:
    run = perform(installation, queued(REFUSED, job="evaluate"))

    assert run.state == "succeeded"
    assert run.result is not None
    assert run.result["reasons"] == [WORSE]


def test_running_twice_does_no_harm(installation: Settings, queued: Queue, tmp_path: Path) -> None:
    run = queued(f"count {tmp_path / 'starts'}", SUCCESS)

    first = perform(installation, run)
    second = perform(installation, run)

    assert (first.state, second.state) == ("succeeded", "succeeded")
    assert first.ended_at == second.ended_at
    assert len((tmp_path / "starts").read_text().split()) == 1


def test_a_job_killed_with_sigkill_has_failed_and_says_by_what(
    installation: Settings, queued: Queue
) -> None:
    run = perform(installation, queued(PROGRESS, "kill"))

    assert (run.state, run.stage) == ("failed", "encode")
    assert run.result == {"event": "error", "text": "killed by SIGKILL"}
    assert "killed by SIGKILL" in Path(run.log_path).read_text()


def test_a_jobs_own_error_is_the_runs_reason(installation: Settings, queued: Queue) -> None:
    error = json.dumps({"event": "error", "text": "there is no dataset 'r9'"})
    run = perform(installation, queued(error, "exit 1"))

    assert run.state == "failed"
    assert run.result == {"event": "error", "text": "there is no dataset 'r9'"}


def test_a_job_that_ends_without_a_result_has_failed(installation: Settings, queued: Queue) -> None:
    silent = perform(installation, queued(PROGRESS))
    crashed = perform(installation, queued(SUCCESS, "exit 3"))

    assert silent.result == {
        "event": "error",
        "text": "ended with exit code 0 and no result; see its log",
    }
    assert (silent.state, crashed.state) == ("failed", "failed")


def test_a_job_over_its_time_is_killed_with_its_children(
    installation: Settings, queued: Queue
) -> None:
    hasty = replace(installation, task_limit_s=1)
    started = time.monotonic()
    run = perform(hasty, queued("ignore", "family", PROGRESS, "sleep 600"))

    assert time.monotonic() - started < 5
    assert run.state == "failed"
    assert run.result == {"event": "error", "text": "killed: it ran longer than 1 s"}
    assert_childless(run)


def test_a_cancelled_job_is_gone_within_five_seconds(installation: Settings, queued: Queue) -> None:
    run = queued("ignore", "family", PROGRESS, "sleep 600")
    thread = in_background(installation, run)

    Run.objects.filter(pk=run.pk).update(cancel_requested=True)
    started = time.monotonic()
    thread.join(timeout=10)

    assert time.monotonic() - started < 5
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert run.ended_at is not None
    assert_childless(run)


def test_a_worker_that_lost_its_run_kills_the_job_and_writes_nothing_more(
    installation: Settings, queued: Queue
) -> None:
    run = queued("family", PROGRESS, "sleep 600")
    thread = in_background(installation, run)

    Run.objects.filter(pk=run.pk).update(token="somebody else's", stage="theirs")
    thread.join(timeout=10)

    run.refresh_from_db()
    assert (run.state, run.token, run.stage) == ("running", "somebody else's", "theirs")
    assert_childless(run)


def test_a_worker_asked_to_stop_puts_the_run_back(installation: Settings, queued: Queue) -> None:
    run = perform(installation, queued("sleep 600"), stopping=lambda: True)

    assert (run.state, run.attempts, run.token, run.started_at) == ("queued", 0, "", None)


def test_a_chatty_job_writes_its_row_twice_a_second_at_most(
    installation: Settings, queued: Queue, django_assert_max_num_queries: Any
) -> None:
    chatty = queued(*[PROGRESS, "sleep 0.005"] * 200, SUCCESS)

    # 1 s of lines: 2 + 1 writes of two queries each, and 5 around them.
    with django_assert_max_num_queries(16):
        perform(installation, chatty)


def test_a_refit_without_kafka_fails_and_says_so(
    installation: Settings, queued: Queue, monkeypatch: Any
) -> None:
    monkeypatch.setattr("stream.kafka.ANSWER_S", 1.0)
    run = queued(SUCCESS, job="refit")
    run.spec = {"job": "refit"}
    run.save()

    run = perform(installation, run)

    assert run.state == "failed"
    assert run.result is not None
    assert "Kafka does not answer" in run.result["text"]
    assert run.result["text"] in Path(run.log_path).read_text()


def test_a_killed_job_with_checkpoints_goes_on_until_it_ends_once(
    installation: Settings, queued: Queue, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    run = queued(f"die {starts} 20", SUCCESS, job="finetune")

    for _ in range(21):
        jobs.perform(installation, run.pk, command=PLAY_JOB)

    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 21)
    assert jobs.perform(installation, run.pk, command=PLAY_JOB) is None  # it has ended


def test_a_job_that_is_killed_each_time_fails_in_the_end(
    installation: Settings, queued: Queue, tmp_path: Path
) -> None:
    run = queued(f"die {tmp_path / 'starts'} 1000", SUCCESS, job="finetune")

    for _ in range(claims.MAX_ATTEMPTS_RESUMED):
        jobs.perform(installation, run.pk, command=PLAY_JOB)

    run.refresh_from_db()
    assert run.state == "failed"
    assert run.result is not None
    assert "killed by SIGKILL (attempt 25 of 25)" in run.result["text"]


def test_a_job_that_takes_too_much_memory_is_killed_with_its_reason(
    installation: Settings, queued: Queue
) -> None:
    run = queued("grow 200", "sleep 600")
    settings = replace(installation, job_memory_mb=100)

    jobs.perform(settings, run.pk, command=PLAY_JOB)

    run.refresh_from_db()
    assert run.state == "failed"
    assert run.result is not None
    assert "the limit WIREROOM_JOB_MEMORY_MB is 100" in run.result["text"]
