from __future__ import annotations

from dataclasses import replace

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from infra.settings import Settings
from workers import schedule


@pytest.fixture
def settings(installation: Settings) -> Settings:
    return replace(installation, refit_every_s=600.0, quantize_every_s=7_200.0)


def test_a_fresh_installation_has_its_periods_from_the_settings(settings: Settings) -> None:
    schedule.prepare(settings)

    found = {
        task.name: (task.interval.every * task.interval.period.count("seconds"), task.enabled)
        for task in PeriodicTask.objects.all()
    }
    assert found["wireroom.refit"] == (600, True)
    assert found["wireroom.quantize"] == (7_200, True)
    assert found["wireroom.retention"] == (86_400, True)
    assert found["wireroom.finetune"] == (30 * 86_400, False)  # half an hour: an operator's to ask
    assert schedule.period_s(settings, "refit") == 600.0


def test_what_an_operator_changed_stays_at_the_next_start(settings: Settings) -> None:
    schedule.prepare(settings)
    entry = PeriodicTask.objects.get(name="wireroom.refit")
    entry.interval = IntervalSchedule.objects.create(every=2, period="hours")
    entry.enabled = False
    entry.save()

    schedule.prepare(settings)

    entry.refresh_from_db()
    assert (entry.enabled, schedule.period_s(settings, "refit")) == (False, 7_200.0)
    assert PeriodicTask.objects.count() == len(schedule.periodic(settings))


def test_a_job_without_an_entry_has_the_settings_period(settings: Settings) -> None:
    assert schedule.period_s(settings, "quantize") == 7_200.0


def test_a_slot_is_named_by_its_start() -> None:
    assert schedule.slot(1_000_000_059.9, 60.0) == "2001-09-09T01:47:00Z"
    assert schedule.slot(1_000_000_020.0, 60.0) == schedule.slot(1_000_000_079.9, 60.0)
