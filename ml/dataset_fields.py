"""From a record of a file to a row: which fields count, and what each must be."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ml import ninjs
from ml.datasets import Row, Split
from ml.messages import MAX_TEXT, timestamp

MAX_LABEL = 200  # characters; a longer one is a text in the wrong column
MAX_LABELS = 200  # of one article
MAX_URI = 2_000  # characters, as in messages
MAX_SOURCE = 500  # characters
SEPARATOR = "|"  # between labels in one cell: neither CSV nor label paths use it
LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]+)*")

SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def row_of(fields: Any, default_uri: str) -> Row:
    """Return a record as a row; one that names no split is `train`.

    Raises ValueError saying what is wrong.
    """
    if isinstance(fields, ValueError):
        raise fields
    if not isinstance(fields, dict):
        raise ValueError("expected an object with label and text")
    labels = _labels(fields)
    if ninjs.looks_like(fields):
        fields = {**ninjs.flatten(fields), "split": fields.get("split")}
    title, body = _field(fields, "title"), _field(fields, "body") or _field(fields, "text")
    if len(title) + len(body) > MAX_TEXT:
        raise ValueError(f"the text has {len(title) + len(body)} characters; limit {MAX_TEXT}")
    uri = (_field(fields, "uri") or _field(fields, "id") or default_uri).strip()
    if len(uri) > MAX_URI:
        raise ValueError(f"uri has {len(uri)} characters; the limit is {MAX_URI}")
    split = _field(fields, "split").strip().lower() or "train"
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: expected train, validation or test")
    row = Row(
        uri,
        title,
        body,
        labels,
        SPLITS[split],
        _language(_field(fields, "language")),
        _source(_field(fields, "source")),
        _moment(_field(fields, "published_at")),
    )
    if not row.text:
        raise ValueError("text is missing")
    return row


def _labels(fields: dict[str, Any]) -> tuple[str, ...]:
    """Return the labels, sorted: of `label`, or `labels`, or the subjects of ninjs."""
    given = fields.get("labels")
    if given is None or given == "":
        subjects = fields.get("subject", fields.get("subjects"))
        if fields.get("label") is None and isinstance(subjects, list) and ninjs.looks_like(fields):
            return _several([_subject(subject) for subject in subjects])
        label = _field(fields, "label").strip()
        if not label:
            raise ValueError("label is missing")
        return _several([label])
    if isinstance(given, str):
        return _several(given.split(SEPARATOR))
    if not isinstance(given, list):
        raise ValueError(f"labels must be a list, got {type(given).__name__}")
    return _several(given)


def _several(given: list[Any]) -> tuple[str, ...]:
    labels = {_field({"label": label}, "label").strip() for label in given}
    if "" in labels:
        raise ValueError("a label is empty")
    if longest := max((len(label) for label in labels), default=0):
        if longest > MAX_LABEL:
            raise ValueError(f"label has {longest} characters; the limit is {MAX_LABEL}")
        if len(labels) > MAX_LABELS:
            raise ValueError(f"{len(labels)} labels; the limit is {MAX_LABELS}")
    return tuple(sorted(labels))


def _subject(subject: Any) -> Any:
    """Return the name of a subject of ninjs, or else its code or address."""
    if not isinstance(subject, dict):
        raise ValueError("a subject must be an object")
    names = (subject.get(key) for key in ("name", "code", "qcode", "uri"))
    return next((name for name in names if name), "")


def _language(tag: str) -> str | None:
    """Return the primary tag: zh of zh-Hans."""
    if not tag.strip():
        return None
    match = LANGUAGE.fullmatch(tag.strip().lower())
    if not match:
        raise ValueError(f"language {tag[:40]!r}: expected a tag, e.g. en or zh-Hans")
    return match[1]


def _source(name: str) -> str | None:
    if len(name) > MAX_SOURCE:
        raise ValueError(f"source has {len(name)} characters; the limit is {MAX_SOURCE}")
    return name.strip() or None


def _moment(text: str) -> str | None:
    """Return a time in UTC as messages write it; one without a zone is in UTC already."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"published_at {text[:40]!r}: expected a time as in ISO 8601") from None
    return timestamp(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))


def _field(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} must be a text, got {type(value).__name__}")
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half a character (a lone surrogate)") from None
    return str(value)
