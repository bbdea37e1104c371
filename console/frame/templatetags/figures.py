"""How figures, times and foreign text are written, the same on every page."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django import template
from django.utils import timezone

from console.alerts.models import Alert
from console.runs.models import Run

register = template.Library()

# What Django hands a filter for something that is not there at all; 0 is there.
ABSENT: tuple[object, ...] = (None, "")

# Marks that turn text around, and control characters: they act on the text beside them.
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
# Over three marks on one letter are no writing; thousands of them cover the page.
_HEAP = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{3})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")  # fmt: skip


@register.filter
def inert(text: str | None, length: int = 0) -> str:
    """Return foreign text without marks that act on what stands around it, at most `length` long."""
    if not text:
        return ""
    cut = text[: 4 * length] if length else text
    clean = _HEAP.sub(r"\1", _ACTIVE.sub("", cut))
    return f"{clean[:length]}…" if length and len(clean) > length else clean


@register.filter
def count(number: float | None) -> str:
    """Return 12345 as 12,345; a dash where it is not known."""
    return "–" if number in ABSENT or number is None else f"{number:,.0f}"


@register.filter
def rate(number: float | None) -> str:
    """Return a rate with three figures."""
    if number in ABSENT or number is None:
        return "–"
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    """Return 0.964 as 96.4 %."""
    return "–" if share in ABSENT or share is None else f"{100 * share:.{digits}f} %"


@register.filter
def size(octets: float | None) -> str:
    """Return bytes in a unit that reads well."""
    if octets in ABSENT or octets is None:
        return "–"
    for unit in ("B", "KiB", "MiB"):
        if abs(octets) < 1024:
            return f"{octets:.0f} {unit}"
        octets /= 1024
    return f"{octets:.2f} GiB"


@register.filter
def span(seconds: float | None) -> str:
    """Return a length of time in one unit, e.g. 12 s, 3 min, 5 h, 2 d."""
    if seconds in ABSENT or seconds is None:
        return "–"
    for length, unit, bound in ((1, "s", 100), (60, "min", 90), (3600, "h", 48)):
        if seconds < bound * length:
            shown = seconds / length
            return f"{shown:.1f} {unit}" if shown < 10 and unit == "s" else f"{shown:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


@register.filter
def age(moment: datetime | None) -> str:
    """Return how long ago a moment was."""
    if not moment:
        return "never"
    return span(max(0.0, (timezone.now() - moment).total_seconds()))


@register.filter
def clock(moment: datetime | None) -> str:
    """Return the time of day in UTC, with the date where it is not today's."""
    if not moment:
        return "–"
    moment = moment.astimezone(UTC) if 1 < moment.year < 9999 else moment
    if moment.date() == timezone.now().date():
        return f"{moment:%H:%M:%S}"
    return f"{moment:%Y-%m-%d %H:%M}" if moment.year >= 1000 else moment.isoformat(" ", "minutes")


@register.filter
def moment(seconds: float | None) -> datetime | None:
    """Return seconds since 1970 as a moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@register.filter
def width(share: float | None, full: int = 100) -> str:
    """Return a bar's length: a share of `full`, within it."""
    return f"{full * min(1.0, max(0.0, share or 0.0)):.1f}"


@register.filter
def took(run: Run) -> float | None:
    """Return the seconds that a run has taken so far, None before its start."""
    if run.started_at is None:
        return None
    return ((run.ended_at or timezone.now()) - run.started_at).total_seconds()


@register.filter
def figure(value: object) -> str:
    """Return a figure whose meaning is not known here, with five significant digits."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@register.filter
def lasted(alert: Alert) -> float:
    """Return the seconds between an alert's raising and its end, or now."""
    return ((alert.resolved_at or timezone.now()) - alert.raised_at).total_seconds()
