"""Degraded results and what becomes of them, as a subscriber sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.chaos.articles import digest
from tests.chaos.feeder import TOPIC
from tests.chaos.journal import Line
from tests.chaos.observed import PARTITIONS, Seen, read, stable_ends

REASON = ("wire-reason", b"rescore")


def published_again(kafka: str) -> list[Line]:
    """Return the articles that the system itself has published, as a journal would hold them."""
    start = {(TOPIC, partition): 0 for partition in range(PARTITIONS)}
    lines = []
    for message in read(kafka, start, stable_ends(kafka, [TOPIC])):
        if REASON not in (message.headers() or []):
            continue
        fields = json.loads(message.value() or b"{}")
        lines.append(
            Line(
                sequence=-1,
                uri=fields["uri"],
                meaning="rescore",
                version=fields.get("version"),
                created=fields.get("published_at"),
                digest=digest(f"{fields['title']} {fields['body']}".strip()),
                partition=message.partition() or 0,
                offset=message.offset() or 0,
                at=message.timestamp()[1] / 1000,
            )
        )
    return lines


def still_degraded(seen: Sequence[Seen]) -> list[str]:
    """Return the uris whose newest result is degraded."""
    newest: dict[str, bool] = {}
    for item in seen:
        if item.outcome.kind == "tombstone" or not item.outcome.stale:
            newest[item.outcome.uri] = item.degraded
    return [uri for uri, degraded in newest.items() if degraded]
