"""How a message's place is written: partition/offset."""

from __future__ import annotations

from django import template

from console.history.models import partition_offset

register = template.Library()


@register.filter
def place(number: int | None) -> str:
    """Return a place as partition/offset."""
    if number is None:
        return "–"
    partition, offset = partition_offset(number)
    return f"{partition}/{offset}"
