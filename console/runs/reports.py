"""Reading the reports that runs left: evaluations, with what the console knows of their articles."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from django.conf import settings

from console.history.models import Article, Kill
from console.runs.models import Run
from ml import evaluation_report
from ml.evaluation_report import Evaluation, Flip, ReportError

EVALUATIONS_SHOWN = 10


@dataclass(frozen=True)
class Changed:
    """A flip as the page shows it: `known` where it has a page, `killed` where it must not be shown."""

    flip: Flip
    known: bool
    killed: bool


def file_of(number: uuid.UUID) -> Path | None:
    """Return a run's report file, None where it has none on this machine."""
    file = evaluation_report.report_path(settings.WIREROOM.home, str(number))
    return file if file.is_file() else None


def read(number: uuid.UUID) -> Evaluation:
    """Return a run's report; raises ReportError."""
    return evaluation_report.read(settings.WIREROOM.home, str(number))


def of_version(name: str) -> list[tuple[Run, Evaluation]]:
    """Return the newest reports on a model version; broken ones are left out."""
    found = []
    runs = Run.objects.filter(result__model=name).order_by("-created_at")[:EVALUATIONS_SHOWN]
    for run in runs:
        try:
            found.append((run, read(run.id)))
        except ReportError:
            continue
    return found


def without_killed(report: Evaluation) -> Evaluation:
    """Return a report that tells nothing but the uri of articles that were killed."""
    flips = [
        msgspec.structs.replace(its.flip, title="") if its.killed else its.flip
        for its in changed(report.flips)
    ]
    return msgspec.structs.replace(report, flips=flips)


def changed(flips: Sequence[Flip]) -> list[Changed]:
    """Return the flips with what became of their articles here, in two queries."""
    uris = [flip.uri for flip in flips]
    known = set(Article.objects.filter(uri__in=uris).values_list("uri", flat=True))
    killed = set(Kill.objects.filter(uri__in=uris).values_list("uri", flat=True))
    return [Changed(flip, flip.uri in known, flip.uri in killed) for flip in flips]
