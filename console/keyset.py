"""Pages are found by the last row's key: page 20,000 costs as much as page 1."""

from __future__ import annotations

from django.http import HttpRequest

LARGEST = 2**63 - 1


def key_of(request: HttpRequest, name: str) -> int | None:
    """Return a key out of the address, None where it is absent or no key at all."""
    value = request.GET.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        return None
    return min(int(value), LARGEST)
