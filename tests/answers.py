"""Articles sent to a running system, and its answers to them as a subscriber reads them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import TopicPartition

from infra import names
from ml.messages import Classification, decode_classification
from stream import kafka, publisher
from stream.publisher import Item
from tests.running import Running

WITHIN_S = 60.0  # on a busy machine; far above what a fault costs


class Answers:
    """The results from the moment of its making on, in the order in which they are read."""

    def __init__(self, system: Running) -> None:
        self.results: list[Classification] = []
        self._reader = kafka.consumer(system.settings)
        topic = system.settings.topic(names.CLASSIFICATIONS.name)
        ends = kafka.bounds(self._reader, topic)
        self._reader.assign([TopicPartition(topic, p, end) for p, (_, end) in ends.items()])

    def read(self) -> None:
        """Read what is there, waiting a moment for it."""
        for message in self._reader.consume(1_000, 0.1):
            if message.error() is None and (value := message.value()) is not None:
                self.results.append(decode_classification(value))

    def to(self, uris: Collection[str], within_s: float = WITHIN_S) -> dict[str, Classification]:
        """Return the one answer to each uri; fails where one has none in time, or two."""
        deadline = time.monotonic() + within_s
        while missing := set(uris) - {result.uri for result in self.results}:
            assert time.monotonic() < deadline, f"{len(missing)} unanswered after {within_s} s"
            self.read()
        ours = [result for result in self.results if result.uri in uris]
        assert len(ours) == len(uris), "an article was answered twice"
        return {result.uri: result for result in ours}

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()


@contextmanager
def following(system: Running) -> Iterator[Answers]:
    """Follow the results while the block runs."""
    answers = Answers(system)
    try:
        yield answers
    finally:
        answers.close()


def article(uri: str, text: str) -> Item:
    """Return an article in the flat form."""
    return Item(uri, json.dumps({"uri": uri, "body": text, "language": "en"}).encode())


def ask(
    system: Running, texts: Mapping[str, str], rate: float | None = None
) -> dict[str, Classification]:
    """Send texts by uri and return the answer to each."""
    with following(system) as answers:
        publisher.publish(system.settings, [article(u, t) for u, t in texts.items()], rate=rate)
        return answers.to(texts)


def check_accounts(system: Running, sample: int | None = None) -> None:
    """Ask the system itself: nothing is unaccounted for, and labels computed again are the same.

    `sample` is how many of them, None: every one.
    """
    ledger = json.loads(system.command("ledger", "--json").stdout)
    assert ledger["difference"] == 0, ledger
    chosen = () if sample is None else ("--sample", str(sample))
    verified = system.command("verify", "--json", *chosen)
    assert math.isclose(json.loads(verified.stdout)["agreement"], 1.0), verified.stdout
