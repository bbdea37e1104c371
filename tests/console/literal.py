"""Messages as they lie in Kafka, short enough to be read in a test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from console.history import rows, store
from console.history.rows import Message, Rows

AT = datetime(2026, 11, 24, 10, 0, 3, tzinfo=UTC)
NEXT = {("wire.articles.v1", 0): 1}


def article(uri: str, offset: int, *, partition: int = 0, **fields: Any) -> Message:
    """Return an article's message."""
    value = json.dumps({"uri": uri, **fields}).encode()
    return Message(partition, offset, AT, uri.encode(), value)


def kill(uri: str, offset: int, *, partition: int = 0) -> Message:
    """Return a kill's message."""
    return Message(partition, offset, AT, uri.encode(), None)


def result(uri: str, offset: int, *, partition: int = 0, **fields: Any) -> Message:
    """Return the result of the article at the same place."""
    subject = {
        "classifier": "topic",
        "label": "earn",
        "confidence": 0.97,
        "decision": "accept",
        "model": "topic@1+9f3c",
        "encoder": "minilm-l6+53aa",
        "embedding": "miss",
    }
    value = {
        "uri": uri,
        "version": 1,
        "revision": 1,
        "digest": "0" * 32,
        "language": "en",
        "source": "Reuters",
        "published_at": None,
        "classified_at": "2026-11-24T10:00:04.000Z",
        "origin": {"partition": partition, "offset": offset},
        "subjects": [subject],
        **fields,
    }
    return Message(partition, offset, AT, uri.encode(), json.dumps(value).encode())


def dead_letter(offset: int, value: bytes | None, reason: str) -> Message:
    """Return a dead letter of the input's partition 0."""
    names = {"topic": "wire.articles.v1", "partition": "0", "offset": str(offset)}
    headers: list[tuple[str, bytes | None]] = [("feed", b"one")]
    headers += [(f"__streams.errors.{k}", v.encode()) for k, v in names.items()]
    headers += [
        ("__streams.errors.exception", b"InvalidArticle"),
        ("__streams.errors.message", reason.encode()),
    ]
    return Message(0, offset, AT, b"urn:broken", value, headers)


def write(
    articles: list[Message] | None = None,
    results: list[Message] | None = None,
    letters: list[Message] | None = None,
) -> Rows:
    """Write one batch as the history does."""
    batch = Rows()
    for message in articles or []:
        rows.add_article(batch, message)
    for message in results or []:
        rows.add_classification(batch, message)
    for message in letters or []:
        rows.add_dead_letter(batch, message)
    store.write(batch, [], NEXT, store.killed_uris())
    return batch
