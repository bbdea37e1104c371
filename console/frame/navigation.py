"""What every page's frame shows: the pages, and how many alerts are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from console.alerts.models import Alert
from console.history import reading


@dataclass(frozen=True)
class Page:
    """One entry of the navigation; `names` are the views that belong to it."""

    title: str
    view: str
    icon: str
    key: str
    names: tuple[str, ...] = ()


PAGES = (
    Page("Overview", "front", "overview", "o"),
    Page("Live", "live", "live", "l"),
    Page("Articles", "articles", "articles", "a", ("article",)),
    Page("Dead letters", "deadletters", "deadletters", "d", ("deadletter",)),
    Page("Models", "versions", "models", "m", ("version", "deploy", "rollback")),
    Page("Datasets", "datasets", "datasets", "s", ("dataset",)),
    Page("Runs", "runs", "runs", "r", ("run", "start_run", "schedule", "report")),
    Page("Alerts", "alerts", "alerts", "t"),
    Page("Cluster", "cluster", "cluster", "c"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the frame's context; nothing for the pages before the login, and for the accounts."""
    user = getattr(request, "user", None)
    match = request.resolver_match
    if user is None or not user.is_authenticated or match is None or match.app_names:
        return {}
    here = match.url_name
    current = next((p for p in PAGES if here == p.view or here in p.names), None)
    return {
        "pages": PAGES,
        "current": current,
        "strip": reading.strip(),
        "open_alerts": Alert.objects.filter(resolved_at=None).count(),
    }
