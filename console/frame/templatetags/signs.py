"""How a change is written: with its sign, in percentage points."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def points(change: float) -> str:
    """Return 0.0123 as +1.23 points."""
    return f"{100 * change:+.2f} points".replace("-", "\u2212")


@register.filter
def apart(difference: float) -> str:
    """Return the distance of two shares, 0.0831 as 8.3 points."""
    return f"{100 * difference:.1f} points"
