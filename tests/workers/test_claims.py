from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from console.runs.models import Run
from infra.settings import Settings
from workers import claims, schedule
from workers.claims import Claim, Order

Queue = Callable[..., Run]


def hold(run: Run) -> Claim:
    held = claims.claim(run.pk, "/log")
    assert held is not None
    return held


def age(run: Run, seconds: float) -> None:
    """Let the run's last sign of life lie further back."""
    Run.objects.filter(pk=run.pk).update(progress_at=Now() - timedelta(seconds=seconds))


def at_once(work: Callable[[], None], threads: int = 8) -> None:
    """Do the work in several threads, all started together."""
    barrier = threading.Barrier(threads)

    def one() -> None:
        barrier.wait()
        work()
        connection.close()

    started = [threading.Thread(target=one) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def test_of_eight_workers_one_gets_the_run(queued: Queue) -> None:
    run = queued()
    got: list[Claim | None] = []

    at_once(lambda: got.append(claims.claim(run.pk, "/log")))

    assert len(got) == 8
    (held,) = [claim for claim in got if claim]
    run.refresh_from_db()
    assert (run.state, run.token, run.attempts) == ("running", held.token, 1)


def test_eight_schedulers_make_one_run_per_slot(installation: Settings) -> None:
    made: list[Run | None] = []
    now_s = 1_795_500_000.0  # 2026-11-24T06:00:00Z
    slot = schedule.slot(now_s + 59, schedule.period_s(installation, "refit"))

    at_once(lambda: made.append(claims.enter("refit", slot, {"job": "refit"}, "schedule")))

    assert len([run for run in made if run]) == 1
    (run,) = Run.objects.all()
    assert (run.job, run.slot, run.state) == ("refit", "2026-11-24T00:00:00Z", "queued")


def test_a_slot_is_its_periods_start() -> None:
    assert schedule.slot(1_795_507_199.9, 3600) == "2026-11-24T07:00:00Z"
    assert schedule.slot(1_795_507_200.0, 3600) == "2026-11-24T08:00:00Z"


def test_a_run_is_taken_over_once_and_fails_visibly_the_second_time(queued: Queue) -> None:
    run = queued()
    first = hold(run)
    age(run, 16)
    (again,) = claims.take_over(15)
    assert again.pk == run.pk
    assert claims.write(first, done=1) is Order.LOST

    hold(run)
    age(run, 16)
    assert claims.take_over(15) == []

    run.refresh_from_db()
    assert run.state == "failed"
    assert run.result is not None
    assert run.result["text"].startswith("the process that ran it died (attempt 2 of 2); last seen")
    assert run.ended_at is not None


def test_a_run_whose_worker_writes_is_left_alone(queued: Queue) -> None:
    run = queued()
    held = hold(run)
    age(run, 14)

    assert claims.take_over(15) == []
    assert claims.write(held, done=1) is Order.GO_ON


def test_a_late_end_of_a_former_holder_changes_nothing(queued: Queue) -> None:
    run = queued()
    former = hold(run)
    age(run, 16)
    claims.take_over(15)
    hold(run)

    assert not claims.finish(former, claims.failed("late"))
    assert not claims.release(former)
    run.refresh_from_db()
    assert (run.state, run.result) == ("running", None)


def test_a_cancelled_run_of_a_dead_worker_is_not_started_again(queued: Queue) -> None:
    run = queued()
    hold(run)
    age(run, 16)
    Run.objects.filter(pk=run.pk).update(cancel_requested=True)

    assert claims.take_over(15) == []
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_the_message_of_a_forgotten_run_is_sent_again_once_a_minute(queued: Queue) -> None:
    run = queued()
    assert claims.take_over(15) == []

    Run.objects.filter(pk=run.pk).update(created_at=F("created_at") - timedelta(seconds=61))
    assert [r.pk for r in claims.take_over(15)] == [run.pk]
    assert claims.take_over(15) == []


def test_at_a_workers_start_whatever_is_queued_is_sent(queued: Queue) -> None:
    run = queued()

    assert [r.pk for r in claims.take_over(15, resend_s=0)] == [run.pk]
