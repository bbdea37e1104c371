"""What commands ask the console's database: past runs, and what the gate refused."""

from __future__ import annotations

import os
from typing import Any

import django
from django.db.utils import OperationalError, ProgrammingError

from infra.settings import Settings

NO_TABLES = (OperationalError, ProgrammingError)  # before the first start
MOMENTS = ("created_at", "started_at", "ended_at")
FIELDS = ("job", "state", "by", "stage", "done", "total", "metrics", "spec", "result", "log_path")


def newest_runs(settings: Settings, count: int) -> list[dict[str, Any]]:
    """Return the newest runs first, as JSON; empty where the database has no tables yet."""
    _set_up(settings)
    # Here: Django's models load only once it is set up.
    from console.runs.models import Run

    rows = Run.objects.order_by("-created_at").values("id", *MOMENTS, *FIELDS)[:count]
    try:
        return [
            {
                **row,
                "id": str(row["id"]),
                **{key: row[key] and row[key].isoformat() for key in MOMENTS},
            }
            for row in rows
        ]
    except NO_TABLES:
        return []


def refusals(settings: Settings, model: str) -> list[str]:
    """Return why the gate refused a model version; empty where it did not."""
    _set_up(settings)
    # Here: Django's models load only once it is set up.
    from console.versions import deploying

    try:
        return deploying.refusals(model)
    except NO_TABLES:
        return []


def result(
    settings: Settings, uri: str, classifier: str, version: str | None, revision: int | None
) -> tuple[int, int, str | None] | None:
    """Return partition and offset of the article of a result, and the model version that answered.

    Without `version` and `revision` it is the newest result that is not stale.
    """
    _set_up(settings)
    # Here: Django's models load only once it is set up.
    from console.history.models import Result, partition_offset

    found = Result.objects.filter(uri=uri).order_by("-id")
    if version is not None:
        found = found.filter(version=version)
    if revision is not None:
        found = found.filter(revision=revision)
    if version is None and revision is None:
        found = found.filter(stale=False)
    try:
        for row in found[:200]:
            for subject in row.subjects:
                if subject["classifier"] == classifier:
                    return (*partition_offset(row.place), subject["model"])
    except NO_TABLES:
        pass
    return None


def _set_up(settings: Settings) -> None:
    os.environ.update(settings.environ())  # Django's settings are derived from them
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
