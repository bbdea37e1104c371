"""The periodic jobs: which, how often, and the slot that makes two schedulers give one run."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.settings import Settings

BY = "schedule"


def periods(settings: Settings) -> dict[str, float]:
    """Return the periodic jobs and their periods in seconds."""
    return {"refit": settings.refit_every_s, "quantize": settings.quantize_every_s}


def slot(now_s: float, every_s: float) -> str:
    """Return the period that `now_s` (Unix time) lies in, named by its start."""
    start = int(now_s // every_s * every_s)
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
