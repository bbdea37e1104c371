"""Dead letters: what could not be read, unchanged, with the reason and the place it came from.

The headers carry Kafka Streams' names (KIP-1034), so that tools that know those show ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confluent_kafka import Message

from infra.names import ERROR_HEADER
from stream import kafka

Headers = list[tuple[str, bytes]]


def headers(
    original: Headers,
    *,
    topic: str,
    partition: int,
    offset: int,
    exception: str,
    message: str,
    stacktrace: str = "",
) -> Headers:
    """Return the dead letter's headers: the original ones, then what went wrong and where."""
    ours = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "exception": exception,
        "message": message,
        "stacktrace": stacktrace,
    }
    kept = [(key, value) for key, value in original if not key.startswith(ERROR_HEADER)]
    return kept + [(ERROR_HEADER + key, value.encode()) for key, value in ours.items()]


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter as it is read back; `partition` and `offset` are those of its input."""

    topic: str
    partition: int
    offset: int
    exception: str
    reason: str
    key: bytes | None
    value: bytes | None


def parse(message: Message) -> DeadLetter:
    """Read a dead letter; what a foreign writer left out is empty or -1."""

    def field(name: str) -> str:
        return kafka.header(message, ERROR_HEADER + name) or ""

    def number(name: str) -> int:
        return int(field(name)) if field(name).isdigit() else -1

    return DeadLetter(
        topic=field("topic"),
        partition=number("partition"),
        offset=number("offset"),
        exception=field("exception"),
        reason=field("message"),
        key=_bytes(message.key()),
        value=_bytes(message.value()),
    )


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
