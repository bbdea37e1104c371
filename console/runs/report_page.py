"""The page of a run's report, and the report itself for programs."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from console.runs import pictures, reports
from console.runs.models import Run
from ml.evaluation_report import Dimension, Evaluation, Figure, LabelRow, ReportError

TITLES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "micro_f1": "Micro-F1",
    "ece": "Calibration error",
}


def report(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Show a run's report."""
    run = get_object_or_404(Run, id=number)
    try:
        found = reports.read(number)
    except ReportError as error:
        raise Http404(str(error)) from error
    context = {
        "run": run,
        "report": found,
        "tiles": _tiles(found),
        "accepting": next((p for p in found.operating_points if p.goal == 0.9), None),
        "map": pictures.heat_map(found.confusion),
        "plot": pictures.reliability(found.reliability),
        "labels": _labels(found.labels),
        "scale_from": pictures.least([row.low for row in found.labels]),
        "dimensions": [_dimension(d) for d in found.dimensions],
        "time_gap": _time_gap(found),
        "flips": reports.changed(found.flips),
    }
    return render(request, "reports/report.html", context)


def report_json(_request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Hand out the report, without the titles of articles that were killed since."""
    try:
        found = reports.without_killed(reports.read(number))
    except ReportError as error:
        raise Http404(str(error)) from error
    name = f"report-{str(number)[:8]}.json"
    content = msgspec.json.format(msgspec.json.encode(found))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="application/json", headers=headers)


def _tiles(found: Evaluation) -> list[tuple[str, Figure]]:
    """Return the figures worth a tile: micro-F1 only where it is not the accuracy."""
    shown = dict(found.figures)
    if shown["micro_f1"].value == shown["accuracy"].value:
        del shown["micro_f1"]
    return [(TITLES[name], shown[name]) for name in TITLES if name in shown]


def _labels(rows: list[LabelRow]) -> list[tuple[LabelRow, pictures.Whisker]]:
    start = pictures.least([row.low for row in rows])
    return [
        (row, pictures.whisker(row.f1, row.low, row.high, row.champion_f1, start)) for row in rows
    ]


def _dimension(dimension: Dimension) -> dict[str, Any]:
    start = pictures.least([s.low for s in dimension.slices])
    return {
        "name": dimension.name,
        "protected": dimension.protected,
        "too_small": dimension.too_small,
        "gaps": dimension.gaps,
        "scale_from": start,
        "slices": [
            (s, pictures.whisker(s.accuracy, s.low, s.high, s.champion, start))
            for s in dimension.slices
        ],
    }


def _time_gap(found: Evaluation) -> float | None:
    """Return how much less is right on newer articles than on a random test split."""
    if found.time_ordered is None:
        return None
    return found.figures["accuracy"].value - found.time_ordered.accuracy.value
