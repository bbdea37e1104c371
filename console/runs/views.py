"""The runs: starting, watching and cancelling jobs."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from console.runs import reports, starting
from console.runs.forms import StartForm
from console.runs.models import Run

PAGE = 50
LOG_TAIL_BYTES = 48 * 1024
ACTIVE = (Run.State.QUEUED, Run.State.RUNNING)


def runs(request: HttpRequest) -> HttpResponse:
    """List the newest runs; htmx asks for the list alone while one is active."""
    newest = list(Run.objects.order_by("-created_at")[:PAGE])
    context: dict[str, Any] = {"runs": newest, "active": any(r.state in ACTIVE for r in newest)}
    if request.headers.get("HX-Request"):
        return render(request, "runs/list.html", context)
    asked = request.GET.get("start", "")
    context["form"] = StartForm(initial={"job": asked, "dataset": request.GET.get("dataset", "")})
    context["form_open"] = bool(asked)
    return render(request, "runs/runs.html", context)


@require_POST
def start_run(request: HttpRequest) -> HttpResponse:
    """Queue a run."""
    form = StartForm(request.POST)
    if not form.is_valid():
        newest = list(Run.objects.order_by("-created_at")[:PAGE])
        context = {"runs": newest, "form": form, "form_open": True, "active": False}
        return render(request, "runs/runs.html", context, status=400)
    run, sent = starting.start(
        settings.WIREROOM.tasks,
        form.cleaned_data["job"],
        form.specification(),
        request.user.get_username(),
    )
    if not sent:
        messages.warning(
            request,
            "The tasks server does not answer. The run is queued; a worker takes it up within a "
            "minute of its return.",
        )
    return redirect("run", run.id)


def run(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Show one run; htmx asks for its figures alone while it is active."""
    found = get_object_or_404(Run, id=number)
    context = {
        "run": found,
        "active": found.state in ACTIVE,
        "metrics": _plain(found.metrics),
        "log": _tail(found.log_path),
        "has_report": reports.file_of(number) is not None,
    }
    template = "runs/figures.html" if request.headers.get("HX-Request") else "runs/run.html"
    return render(request, template, context)


@require_POST
def cancel_run(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Cancel one run."""
    if not starting.cancel(number):
        messages.warning(request, "The run had ended before.")
    return redirect("run", number)


def _plain(metrics: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(k, v) for k, v in metrics.items() if isinstance(v, int | float | str)]


def _tail(log_path: str) -> str | None:
    """Return the end of a run's log, None where it has none on this machine."""
    folder = settings.WIREROOM.home.resolve() / "runs"
    path = Path(log_path)
    if not log_path or not path.resolve().is_relative_to(folder):
        return None  # a worker on another machine keeps its own logs
    try:
        with path.open("rb") as stream:
            length = stream.seek(0, 2)
            stream.seek(max(0, length - LOG_TAIL_BYTES))
            return stream.read(LOG_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
