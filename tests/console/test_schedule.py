from __future__ import annotations

import json

import pytest
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from infra import names


@pytest.fixture
def refit(operator: Client) -> PeriodicTask:
    made: PeriodicTask = PeriodicTask.objects.create(
        name=names.scheduled_name("refit"),
        task=names.TASK_SCHEDULED,
        args=json.dumps(["refit"]),
        interval=IntervalSchedule.objects.create(every=86_400, period="seconds"),
        description="fit the head",
    )
    return made


def test_the_schedule_shows_each_job_in_its_largest_unit(
    operator: Client, refit: PeriodicTask
) -> None:
    page = operator.get("/runs/schedule/").content.decode()

    assert 'value="1"' in page
    assert "<option selected>days</option>" in page
    assert " style=" not in page


def test_an_operator_changes_how_often_a_job_runs(operator: Client, refit: PeriodicTask) -> None:
    asked = {"name": refit.name, "every": "6", "unit": "hours", "enabled": "on"}

    assert operator.post("/runs/schedule/", asked).status_code == 302
    refit.refresh_from_db()
    assert refit.interval is not None
    assert (refit.interval.every, refit.interval.period, refit.enabled) == (6, "hours", True)
    assert operator.post("/runs/schedule/", asked | {"enabled": ""}).status_code == 302
    refit.refresh_from_db()
    assert refit.enabled is False
    assert IntervalSchedule.objects.count() == 2  # the same period is the same row


@pytest.mark.parametrize(
    "wrong", [{"every": "0"}, {"every": "x"}, {"unit": "years"}, {"every": "10001"}]
)
def test_an_impossible_period_changes_nothing(
    operator: Client, refit: PeriodicTask, wrong: dict[str, str]
) -> None:
    asked = {"name": refit.name, "every": "6", "unit": "hours", "enabled": "on", **wrong}

    assert operator.post("/runs/schedule/", asked).status_code == 400
    refit.refresh_from_db()
    assert refit.interval is not None
    assert refit.interval.every == 86_400


def test_another_task_cannot_be_changed(operator: Client) -> None:
    assert operator.post("/runs/schedule/", {"name": "rescore"}).status_code == 404


def test_before_the_first_start_the_page_says_so(operator: Client) -> None:
    assert "No schedule yet" in operator.get("/runs/schedule/").content.decode()
