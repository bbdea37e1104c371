"""Looking a key up in a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def pick(mapping: Mapping[str, Any], key: str) -> Any:
    """Return a mapping's value, None where there is none."""
    return mapping.get(key)
