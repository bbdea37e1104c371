"""The schedule: how often each periodic job is asked for; changed here, read by the scheduler.

A scheduler looks for changes every five seconds. It writes the jobs at its first start.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from infra import names

UNITS = {"minutes": 60, "hours": 3_600, "days": 86_400}
MOST = 10_000


class PeriodForm(forms.Form):
    """How often one job runs, and whether it does."""

    every = forms.IntegerField(min_value=1, max_value=MOST)
    unit = forms.ChoiceField(choices=[(unit, unit) for unit in UNITS])
    enabled = forms.BooleanField(required=False)


def schedule(request: HttpRequest) -> HttpResponse:
    """Show the schedule; change one job's entry."""
    entries = PeriodicTask.objects.filter(task=names.TASK_SCHEDULED).order_by("name")
    failed: tuple[str, PeriodForm] | None = None
    if request.method == "POST":
        entry = entries.filter(name=request.POST.get("name", "")).first()
        if entry is None:
            raise Http404("no such entry")
        form = PeriodForm(request.POST)
        if form.is_valid():
            _change(entry, form.cleaned_data)
            messages.success(request, f"{_job(entry)}: changed; the scheduler follows at once.")
            return redirect("schedule")
        failed = (entry.name, form)
    rows = [
        {
            "entry": entry,
            "job": _job(entry),
            "form": failed[1] if failed and failed[0] == entry.name else _form(entry),
        }
        for entry in entries
    ]
    return render(
        request, "runs/schedule.html", {"rows": rows, "units": UNITS}, status=400 if failed else 200
    )


def _job(entry: PeriodicTask) -> str:
    return str(entry.name).removeprefix(names.scheduled_name(""))


def _form(entry: PeriodicTask) -> PeriodForm:
    every, unit = _shown(entry.interval.schedule.run_every if entry.interval else timedelta(days=1))
    return PeriodForm(initial={"every": every, "unit": unit, "enabled": entry.enabled})


def _shown(period: timedelta) -> tuple[int, str]:
    """Return a period in the largest unit that divides it."""
    seconds = max(60, round(period.total_seconds()))
    unit = next(u for u in reversed(UNITS) if seconds % UNITS[u] == 0 or u == "minutes")
    return max(1, seconds // UNITS[unit]), unit


def _change(entry: PeriodicTask, wanted: dict[str, Any]) -> None:
    interval = IntervalSchedule.objects.filter(every=wanted["every"], period=wanted["unit"]).first()
    entry.interval = interval or IntervalSchedule.objects.create(
        every=wanted["every"], period=wanted["unit"]
    )
    entry.crontab = None
    entry.enabled = wanted["enabled"]
    entry.save()
