"""The front page: is everything accounted for, is anything wrong, what is happening."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from console.alerts.models import Alert
from console.cluster import encoding, processes
from console.history import reading
from console.history.models import LagReading, Tick

SERIES_MINUTES = 60
POINT_S = 15  # 240 points are what the chart's width can show


def front(request: HttpRequest) -> HttpResponse:
    """Show the overview; htmx asks for its figures alone."""
    strip = reading.strip()
    now = timezone.now()
    cluster = processes.read()
    context: dict[str, Any] = {
        "ledger": strip.ledger,
        "ledger_old": strip.ledger_old,
        "lag": strip.lag,
        "rates": reading.rates(now),
        "last_result_at": reading.last_result_at(),
        "dead_letters_hour": reading.dead_letters_since(now - timedelta(hours=1)),
        "champions": reading.champions(),
        "cluster": cluster,
        "embeddings": encoding.embeddings(cluster.processes).together,
        "latest_alerts": Alert.objects.order_by("-raised_at")[:6],
        "nothing_yet": reading.is_empty(),
    }
    template = "front/figures.html" if request.headers.get("HX-Request") else "front/front.html"
    return render(request, template, context)


def status(request: HttpRequest) -> HttpResponse:
    """Show the strip that stands on every page."""
    return render(request, "frame/status.html")


def series(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - a view
    """Return the last hour for the charts: seconds since 1970, hits/s, misses/s, lag."""
    end = int(timezone.now().timestamp()) // POINT_S * POINT_S
    start = end - SERIES_MINUTES * 60
    since = timezone.now() - timedelta(minutes=SERIES_MINUTES)
    hits: dict[int, float] = {}
    misses: dict[int, float] = {}
    for at, miss, results in Tick.objects.filter(at__gte=since).values_list(
        "at", "misses", "results"
    ):
        point = int(at.timestamp()) // POINT_S * POINT_S
        # An abstention needs no embedding: it costs as little as a hit.
        misses[point] = misses.get(point, 0.0) + miss / POINT_S
        hits[point] = hits.get(point, 0.0) + (results - miss) / POINT_S
    lag: dict[int, int] = {}
    for at, total in LagReading.objects.filter(at__gte=since).values_list("at", "total"):
        point = int(at.timestamp()) // POINT_S * POINT_S
        lag[point] = max(lag.get(point, 0), total)
    points = list(range(start, end, POINT_S))
    return JsonResponse(
        {
            "at": points,
            "hits": [round(hits.get(p, 0.0), 2) for p in points],
            "misses": [round(misses.get(p, 0.0), 2) for p in points],
            "lag": [lag.get(p) for p in points],
        }
    )
