"""Reading a topic for `wireroom tail`: read_committed, and shown so that nothing hurts a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Message, TopicPartition

from infra import names
from infra.cli.terminal import out, print_json
from infra.names import Topic
from infra.settings import Settings
from stream import dead_letters, kafka

POLL_S = 0.2
SHOWN = 4_000  # characters of a value; a dead letter may hold 16 MB
SHORT_NAMES = {
    "results": names.CLASSIFICATIONS,
    "deadletters": names.DEADLETTERS,
    "alerts": names.ALERTS,
    "deployments": names.DEPLOYMENTS,
    "articles": names.ARTICLES,
    "held": names.HELD,
    "shadows": names.SHADOWS,
    "corrections": names.CORRECTIONS,
}
# Written by others, so anything may stand in them.
FOREIGN = (names.ARTICLES, names.HELD, names.CORRECTIONS)


class UnknownTopic(ValueError):
    """A name that no topic has."""


def find_topic(name: str) -> Topic:
    """Return a topic by its short or full name; raises UnknownTopic."""
    known = SHORT_NAMES | {topic.name: topic for topic in names.TOPICS}
    if name not in known:
        raise UnknownTopic(f"no topic {name!r}; known are {', '.join(SHORT_NAMES)}")
    return known[name]


def messages(
    settings: Settings, topic: Topic, *, from_beginning: bool, follow: bool
) -> Iterator[Message]:
    """Yield committed messages, for ever with `follow`; raises KafkaUnavailable."""
    name = settings.topic(topic.name)
    if not follow:
        if from_beginning:
            yield from kafka.read_to_end(settings, name, partitions=topic.partitions)
        return
    reader = kafka.consumer(settings)
    try:
        kafka.bounds(reader, name, topic.partitions)  # says at once where Kafka is away
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        reader.assign([TopicPartition(name, p, start) for p in range(topic.partitions)])
        while True:
            for message in reader.consume(500, POLL_S):
                if message.error() is None:  # others pass by themselves: the broker is restarting
                    yield message
    finally:
        reader.close()


def print_as_json(topic: Topic, message: Message) -> None:
    """Print one message as one line of JSON: ours as they are, all else wrapped."""
    value = _value(message)
    if topic is names.DEADLETTERS:
        print_json(_dead_letter(message))
    elif topic is names.CLASSIFICATIONS and value is None:
        print_json({"uri": _safe(message.key()), "killed": True})
    elif topic in FOREIGN or value is None:
        print_json(
            {
                "partition": message.partition(),
                "offset": message.offset(),
                "timestamp": message.timestamp()[1],
                "key": _safe(message.key()),
                "value": _safe(value),
            }
        )
    else:
        sys.stdout.buffer.write(value + b"\n")
        sys.stdout.buffer.flush()


def print_for_people(topic: Topic, message: Message) -> None:
    """Print one message as one line for a reader."""
    value = _value(message)
    place = f"{message.partition()}/{message.offset()}"
    if topic is names.DEADLETTERS:
        letter = _dead_letter(message)
        origin = letter["origin"]
        line = (
            f"{origin['partition']}/{origin['offset']} {letter['reason']} "
            f"({letter['exception']}, {letter['bytes']} bytes) key {letter['key']}"
        )
    elif topic is names.CLASSIFICATIONS:
        line = f"{place} {_result(message, value)}"
    else:
        line = f"{place} {_safe(message.key())} {_safe(value)}"
    out.print(_printable(line), markup=False, highlight=False, soft_wrap=True)


def _result(message: Message, value: bytes | None) -> str:
    if value is None:
        return f"{_safe(message.key())} was killed"
    result: dict[str, Any] = json.loads(value)
    answers = [
        f"{s['classifier']}: {s['label']} {s['confidence']:.3f} {s['decision']} "
        f"({s['model']}, {s['embedding']})"
        for s in result["subjects"]
    ]
    flags = [name for name in ("stale", "degraded", "truncated") if result[name]]
    revision = f"revision {result['revision']}" if result["revision"] > 1 else ""
    return "  ".join(filter(None, [result["uri"], revision, *answers, *flags]))


def _dead_letter(message: Message) -> dict[str, Any]:
    letter = dead_letters.parse(message)
    return {
        "reason": letter.reason,
        "exception": letter.exception,
        "origin": {
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
        },
        "key": _safe(letter.key),
        "value": _safe(letter.value),
        "bytes": None if letter.value is None else len(letter.value),
    }


def _value(message: Message) -> bytes | None:
    value = message.value()
    return value.encode() if isinstance(value, str) else value


def _safe(value: bytes | str | None) -> str | None:
    """Return bytes as text; what is no UTF-8 or not printable is escaped, the end may be cut."""
    if value is None:
        return None
    text = (
        value if isinstance(value, str) else value[: 4 * SHOWN].decode("utf-8", "backslashreplace")
    )
    cut = text[:SHOWN]
    return _printable(cut) + (f"... ({len(value)} in all)" if len(cut) < len(text) else "")


def _printable(text: str) -> str:
    """Escape control characters, marks that turn the direction of text, and lone surrogates."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
