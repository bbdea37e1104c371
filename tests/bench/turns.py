"""One turn of a measurement: a list of texts through the bare encoder, or through a whole system."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, TopicPartition
from rich.console import Console

from infra import names
from infra.settings import Settings
from ml.embedder import Embedder
from ml.messages import decode_classification
from stream import kafka
from stream.publisher import Item, publish
from tests.bench import system
from tests.bench.system import System

LONGEST_S = 120.0  # for the answers of one turn
SETTLE_S = 1.0  # after the last result: ledger, acknowledgements


@dataclass(frozen=True)
class Turn:
    """What one turn took; `cpu_s` is of all measured processes.

    `encoded` and `busy_s` are the engine's texts and computing time, None for the bare encoder's.
    """

    articles: int
    seconds: float
    cpu_s: dict[str, float]
    encoded: int
    hits: int
    busy_s: float | None = None

    @property
    def rate(self) -> float:
        """Articles a second."""
        return self.articles / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an article, all processes."""
        return 1e6 * sum(self.cpu_s.values()) / self.articles


def encode(bare: Embedder, texts: Sequence[str]) -> Turn:
    """Encode texts at the encoder's best: all at once, sorted by length, tokenizing included."""
    started, cpu_s = time.perf_counter(), time.process_time()
    bare.embed(texts)
    seconds = time.perf_counter() - started
    return Turn(
        len(texts), seconds, {"encoder": time.process_time() - cpu_s}, encoded=len(texts), hits=0
    )


def answer(running: System, texts: Sequence[str], *, backlog: bool = False) -> Turn:
    """Have texts classified as articles of new uris; return when the last result is readable.

    With `backlog` all are published before the engine, and the clock, start.
    """
    items = articles(texts)
    settings = replace(running.settings, process="bench")
    with results_from_now_on(settings) as reader:
        engine = running.figures()["engine"]
        cpu_s = running.cpu_s()
        if backlog:
            with running.engine_stopped():
                publish(settings, items)
                started = time.perf_counter()
        else:
            started = time.perf_counter()
            publish(settings, items)
        values: list[bytes] = []
        while len(values) < len(items):
            values += [m.value() or b"" for m in reader.consume(1000, 0.02) if not m.error()]
            if time.perf_counter() - started > LONGEST_S:
                raise system.NotStarted(
                    f"{len(values)} results of {len(items)} after {LONGEST_S} s"
                )
        seconds = time.perf_counter() - started
    time.sleep(SETTLE_S)
    used = {name: after - cpu_s[name] for name, after in running.cpu_s().items()}
    results = [decode_classification(value) for value in values]
    afterwards = running.figures()["engine"]
    return Turn(
        len(items),
        seconds,
        used,
        encoded=afterwards["encoded"] - engine["encoded"],
        hits=sum(result.subjects[0].embedding == "hit" for result in results),
        busy_s=afterwards["busy_s"] - engine["busy_s"],
    )


def show(console: Console, what: str, turn: Turn) -> None:
    shares = ", ".join(
        f"{name} {1e6 * s / turn.articles:.0f}" for name, s in sorted(turn.cpu_s.items())
    )
    busy = "" if turn.busy_s is None else f"engine busy {turn.busy_s / turn.seconds:.0%}  "
    console.print(
        f"{what:15} {turn.articles:6} articles {turn.rate:7.1f}/s  {busy}"
        f"CPU us an article: {turn.cpu_us:.0f} ({shares})",
        highlight=False,
    )


def articles(texts: Sequence[str]) -> list[Item]:
    """Return an article of a new uri for every text."""
    turn = uuid.uuid4().hex[:8]
    return [
        Item(uri := f"bench:{turn}:{n}", json.dumps({"uri": uri, "body": text}).encode())
        for n, text in enumerate(texts)
    ]


@contextmanager
def results_from_now_on(settings: Settings) -> Iterator[Consumer]:
    """Yield a consumer of the results that are written from now on.

    Closed in any case: one left open keeps the process from ending.
    """
    reader = kafka.consumer(settings)
    try:
        topic = settings.topic(names.CLASSIFICATIONS.name)
        ends = kafka.bounds(reader, topic)
        reader.assign([TopicPartition(topic, p, high) for p, (_, high) in ends.items()])
        yield reader
    finally:
        reader.close()
