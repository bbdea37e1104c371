"""What the live page is told: the results after an id, and the figures beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from console.frame.templatetags.figures import inert
from console.history import reading
from console.history.models import LagReading, Result, partition_offset

MOST_ROWS = 200  # what the page keeps; older ones of a burst would not be seen
TITLE = 220


@dataclass(frozen=True)
class News:
    """What is new: rows oldest first, the id to go on from, and the figures."""

    rows: list[dict[str, Any]]
    last_id: int
    figures: dict[str, Any]


def newest_id() -> int:
    """Return the id of the newest result, 0 where there is none."""
    return int(Result.objects.aggregate(n=Max("id"))["n"] or 0)


def news(after: int) -> News:
    """Return the newest results after an id, at most MOST_ROWS.

    An id from before the projections were rebuilt lies above all: then the page starts anew.
    """
    newest = newest_id()
    if after > newest:
        after = 0
    found: list[Result] = []
    if newest > after:
        found = list(Result.objects.filter(id__gt=after).order_by("-id")[:MOST_ROWS])[::-1]
    titles = reading.titles([result.place for result in found]) if found else {}
    rows = [row for result in found for row in _rows(result, titles.get(result.place))]
    return News(rows, max(newest, 0), _figures())


def _figures() -> dict[str, Any]:
    rates = reading.rates()
    lag = LagReading.objects.order_by("-at").first()
    last = reading.last_result_at()
    return {
        "results": round(rates.results, 1),
        "misses": round(rates.misses, 1),
        "lag": None if lag is None else lag.total,
        "age": None if last is None else max(0.0, (timezone.now() - last).total_seconds()),
    }


def _rows(result: Result, title: str | None) -> list[dict[str, Any]]:
    partition, offset = partition_offset(result.place)
    shared = {
        "id": result.id,
        "time": f"{result.classified_at:%H:%M:%S}",
        "source": inert(result.source, 30),
        "title": inert(title, TITLE) or inert(result.uri, TITLE),
        "href": f"{reverse('article')}?{urlencode({'uri': result.uri})}",
        "place": f"{partition}/{offset}",
        "revision": result.revision,
        "stale": result.stale,
        "degraded": result.degraded,
    }
    return [
        shared
        | {
            "classifier": subject["classifier"],
            "label": subject["label"],
            "confidence": subject["confidence"],
            "decision": subject["decision"],
            "model": subject["model"],
            "model_href": reverse("version", args=[subject["model"]]) if subject["model"] else None,
            "embedding": subject["embedding"],
        }
        for subject in result.subjects
    ]
