"""News in JSON (IPTC ninjs): versions 1.x, 2.x and 3.x to the flat form.

The three differ in names (`headline` or `headlines[]`, `pubstatus` or `pubStatus`), not in meaning.
https://iptc.org/standards/ninjs/
"""

from __future__ import annotations

from typing import Any

from ml.text import from_html

_NAMES = frozenset(
    [
        "headline",
        "headlines",
        "body_text",
        "body_html",
        "body_xhtml",
        "bodies",
        "pubstatus",
        "pubStatus",
        "versioncreated",
        "versionCreated",
        "standard",
        "representationtype",
        "representationType",
    ]
)


def looks_like(fields: dict[str, Any]) -> bool:
    """Tell ninjs from the flat form, by names that only ninjs has."""
    return not _NAMES.isdisjoint(fields)


def flatten(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the flat form's fields, values unchecked; unknown fields are left out."""
    created = _first(fields, "versioncreated", "versionCreated")
    published = _first(fields, "firstcreated", "firstCreated", "contentcreated", "contentCreated")
    return {
        "uri": fields.get("uri"),
        "version": fields.get("version"),
        "title": _first(fields, "headline", "title") or _value(fields.get("headlines")),
        "body": _body(fields),
        "language": fields.get("language"),
        "source": _source(fields),
        "published_at": published or created,
        "created": created,
        "status": _first(fields, "pubstatus", "pubStatus"),
        "embargoed_until": _first(fields, "embargoed", "embargoedUntil"),
    }


def _first(fields: dict[str, Any], *names: str) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _value(parts: Any) -> Any:
    """Return the main value of `headlines` or `bodies`: the role 'main', else the first."""
    if not isinstance(parts, list):
        return parts
    items = [part for part in parts if isinstance(part, dict)]
    main = [part for part in items if part.get("role") == "main"]
    return next((part.get("value") for part in main + items), None)


def _body(fields: dict[str, Any]) -> Any:
    plain = fields.get("body_text")
    if plain is not None:
        return plain
    html = _first(fields, "body_html", "body_xhtml")
    if isinstance(html, str):
        return from_html(html)
    bodies = fields.get("bodies")
    if not isinstance(bodies, list):
        return bodies
    items = [part for part in bodies if isinstance(part, dict)]
    kinds = [(str(_first(b, "contenttype", "contentType") or "text/plain"), b) for b in items]
    plain_first = sorted(kinds, key=lambda pair: not pair[0].startswith("text/plain"))
    for kind, part in plain_first:
        value = part.get("value")
        return from_html(value) if "html" in kind and isinstance(value, str) else value
    return None


def _source(fields: dict[str, Any]) -> Any:
    named = _first(fields, "source", "provider", "copyrightholder", "copyrightHolder")
    return named.get("name") or named.get("uri") if isinstance(named, dict) else named
