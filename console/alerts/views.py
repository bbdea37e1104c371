"""The alerts: what is wrong now, and what was."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.alerts.models import Alert
from console.alerts.rules import RULES

RESOLVED_SHOWN = 50


def alerts(request: HttpRequest) -> HttpResponse:
    """List the open alerts, the newest resolved ones, and what is watched."""
    context = {
        "open": Alert.objects.filter(resolved_at=None).order_by("-raised_at"),
        "resolved": Alert.objects.exclude(resolved_at=None).order_by("-raised_at")[:RESOLVED_SHOWN],
        "rules": RULES,
    }
    template = "alerts/list.html" if request.headers.get("HX-Request") else "alerts/alerts.html"
    return render(request, template, context)
