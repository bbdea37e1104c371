"""Keeping the projections bounded: old rows go in small deletes, so that no page waits for them.

Rows are read in about the order of time, so the oldest are those of the lowest id: no index on the
time is needed, and a look at an untouched table costs one page of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from console.alerts.models import Alert
from console.history.models import (
    Answer,
    Article,
    DeadLetter,
    Kill,
    LagReading,
    LedgerReading,
    Result,
    Tick,
)

KEPT = timedelta(days=7)
LETTERS_KEPT = timedelta(days=30)
READINGS_KEPT = timedelta(days=2)
MOST_ROWS = 2_000_000
"""Rows of articles and of results at most: some 4 GB. What is older stands in Kafka."""

SLICE = 500


def sweep() -> int:
    """Delete at most a slice of each table's oldest rows; return how many went."""
    now = timezone.now()
    gone = _oldest(Article, "received_at", now - KEPT)
    gone += _results(now - KEPT)
    gone += _oldest(DeadLetter, "at", now - LETTERS_KEPT)
    gone += _oldest(Kill, "at", now - KEPT)
    for model, kept in ((Tick, KEPT), (LagReading, READINGS_KEPT), (LedgerReading, READINGS_KEPT)):
        old = model._default_manager.filter(at__lt=now - kept).order_by("at")[:SLICE]
        gone += _delete(model, list(old.values_list("pk", flat=True)))
    Alert.objects.filter(resolved_at__lt=now - LETTERS_KEPT).delete()
    return gone


def _old_ids(model: type[models.Model], moment: str, before: datetime) -> list[int]:
    oldest = list(model._default_manager.order_by("id").values_list("id", moment)[:SLICE])
    if not oldest:
        return []
    newest_id = model._default_manager.order_by("-id").values_list("id", flat=True)[0]
    return [n for n, at in oldest if at < before or n <= newest_id - MOST_ROWS]


def _oldest(model: type[models.Model], moment: str, before: datetime) -> int:
    return _delete(model, _old_ids(model, moment, before))


def _results(before: datetime) -> int:
    ids = _old_ids(Result, "classified_at", before)
    places = list(Result.objects.filter(id__in=ids).values_list("place", flat=True))
    Answer.objects.filter(place__in=places).delete()
    return _delete(Result, ids)


def _delete(model: type[models.Model], keys: Sequence[object]) -> int:
    return model._default_manager.filter(pk__in=keys).delete()[0] if keys else 0
