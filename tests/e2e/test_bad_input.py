"""What is no article, through a real Kafka: one dead letter each, and the partition goes on."""

from __future__ import annotations

import json
import pickle
import time
from typing import Any

from confluent_kafka import Message

from infra import names
from ml.messages import decode_classification
from stream import dead_letters, kafka
from tests.running import Running, wait_until

PARTITION = 5
BAD = {
    "empty": (b"", "the message is empty"),
    "utf8": (b'{"uri": "\xff"}', "UTF-8"),
    "bom": (b"\xef\xbb\xbf", "byte-order mark"),
    "bom-json": (b'\xef\xbb\xbf{"uri": "a"}', "byte-order mark"),
    "cut": (b'{"uri": "a", "title', "not JSON"),
    "twice": (b'{"uri": "a", "uri": "b"}', "stands twice"),
    "nan": (b'{"uri": "a", "x": NaN}', "NaN is no JSON number"),
    "deep": (b'{"uri": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "deep-title": (b'{"uri": "a", "title": ' + b"[" * 100_000, "nested too deeply"),
    "big": (json.dumps({"uri": "a", "body": "x" * 10_000_000}).encode(), "limit"),
    "surrogate": (rb'{"uri": "a", "title": "\ud800"}', "lone surrogate, U+D800"),
    "number": (b'{"uri": "a", "title": 7}', "title must be a text"),
    "list": (b"[1, 2]", "expected a JSON object"),
    "no-uri": (b'{"title": "a"}', "uri is missing"),
    "date": (b'{"uri": "a", "published_at": "2026-02-30T00:00:00Z"}', "is no date"),
    "pickle": (pickle.dumps({"uri": "a"}), "Python pickle"),
}
MANY_HEADERS: list[tuple[str, str | bytes | None]] = [(f"h{n}", b"x") for n in range(1_000)]


def send(
    system: Running, values: dict[str, bytes], headers: list[tuple[str, str | bytes | None]]
) -> None:
    producer = kafka.producer(system.settings)
    for key, value in values.items():
        producer.produce(
            names.ARTICLES.name, value, key.encode(), partition=PARTITION, headers=headers
        )
    assert producer.flush(60) == 0


def committed(system: Running, topic: names.Topic) -> list[Message]:
    return list(kafka.read_to_end(system.settings, topic.name, partitions=topic.partitions))


def results(system: Running, uri: str) -> list[Any]:
    found = [m for m in committed(system, names.CLASSIFICATIONS) if m.key() == uri.encode()]
    return [decode_classification(value) for m in found if (value := m.value()) is not None]


def test_each_bad_message_becomes_one_dead_letter_and_the_partition_goes_on(
    system: Running,
) -> None:
    send(system, {f"bad-{name}": value for name, (value, _) in BAD.items()}, [])
    send(system, {"bad-after": b'{"uri": "bad-after", "title": "oil prices rise"}'}, [])
    wait_until(lambda: results(system, "bad-after"), 30, "the article behind the bad ones")
    time.sleep(1)  # for a second letter to show itself
    letters = [dead_letters.parse(m) for m in committed(system, names.DEADLETTERS)]
    ours = [letter for letter in letters if (letter.key or b"").startswith(b"bad-")]
    assert [letter.key for letter in ours] == [f"bad-{name}".encode() for name in BAD]
    for letter, (value, reason) in zip(ours, BAD.values(), strict=True):
        assert reason in letter.reason, letter.key
        assert letter.value == value, letter.key
        assert letter.partition == PARTITION
    assert len(results(system, "bad-after")) == 1


def test_headers_a_far_date_and_an_empty_article_are_accepted(system: Running) -> None:
    far = b'{"uri": "far", "title": "oil prices rise", "published_at": "9999-12-31T23:59:59Z"}'
    send(system, {"far": far}, MANY_HEADERS)
    send(system, {"bare": b'{"uri": "bare", "title": "", "body": ""}'}, [])
    wait_until(lambda: results(system, "bare"), 30, "the article without a text")
    assert [r.published_at for r in results(system, "far")] == ["9999-12-31T23:59:59.000Z"]
    [bare] = results(system, "bare")
    assert [subject.decision for subject in bare.subjects] == ["abstain"]
