"""Group stream: Kafka in to Kafka out against the bare encoder, and what everything else costs.

Bare encoder and whole system take turns on the same cores: B A B A B. Each turn of the system is
compared with the mean of the bare encoder's turns before and after it, so that a neighbour who
comes or goes in between shows in the spread and hardly in the median.
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from confluent_kafka import TopicPartition
from rich.console import Console

from infra import names
from infra.settings import Settings
from ml.artifact import encoder_path, list_encoders
from ml.embedder import Embedder
from ml.messages import decode_classification
from stream import kafka
from stream.publisher import Item, publish
from tests.bench import corpus, system
from tests.bench.figures import Figure
from tests.bench.system import System

ROUNDS = 3
ROUND_S = 5.0  # of the bare encoder; a turn's beginning and end then weigh little
WARM_UP, WARM_UPS = 1000, 8  # a broker just started compiles its own code for the first thousands
LONGEST_S = 120.0  # for the answers of one turn
SETTLE_S = 1.0  # after the last result: ledger, acknowledgements
COPIES, COPIED = 4, 500
GOAL = ">= 0.90, with AMX 0.85"


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


def measure(settings: Settings, console: Console) -> list[Figure]:
    """Return the group's figures; raises ArtifactError, system.NotStarted."""
    texts = corpus.read(settings.assets)
    encoder = list_encoders(settings.assets)[-1]
    bare = Embedder(
        encoder_path(settings.assets, encoder.id),
        settings.runtime,
        settings.precision,
        settings.threads,
        settings.token_budget,
    )
    console.print(
        f"{encoder.id} on {bare.runtime.name} in {bare.runtime.precision}; "
        f"batches of {settings.token_budget} tokens; {len(texts)} texts"
    )
    copied, texts = texts[:COPIED], texts[COPIED:]
    encode(bare, texts[:256])  # compiles
    sample = encode(bare, texts[:1024])
    warm_up, texts = texts[:WARM_UP], texts[WARM_UP:]
    parts = _parts(bare, texts, round(sample.rate * ROUND_S))
    with system.running(settings) as running:
        answer(running, warm_up * WARM_UPS)
        plain, whole = _turns(running, bare, parts, console)
        seen = answer(running, parts[-1])
        _show(console, "all seen", seen)
        together = answer(running, [text for text in copied for _ in range(COPIES)])
        _show(console, f"{COPIES} copies", together)
    between = [(a + b) / 2 for a, b in pairwise(t.rate for t in plain)]
    overhead = [
        turn.cpu_us - (before.cpu_us + after.cpu_us) / 2
        for turn, before, after in zip(whole, plain, plain[1:], strict=False)
    ]
    return [
        Figure(
            "e2e_vs_encoder",
            "rate Kafka to Kafka, all misses / bare encoder",
            GOAL,
            ratios=[turn.rate / rate for turn, rate in zip(whole, between, strict=True)],
        ),
        Figure(
            "overhead_us",
            "CPU us an article beside the encoder's",
            "<= 300",
            value=round(statistics.median(overhead), 1),
        ),
        Figure("hit_us", "CPU us an article already seen", "<= 250", value=round(seen.cpu_us, 1)),
        Figure("seen_encodings", "encodings of texts already seen", "0", value=seen.encoded),
        Figure(
            "duplicate_encodings",
            f"encodings of {COPIED} new texts, {COPIES} copies at once, less {COPIED}",
            "0",
            value=together.encoded - COPIED,
        ),
    ]


def _turns(
    running: System, bare: Embedder, parts: Sequence[list[str]], console: Console
) -> tuple[list[Turn], list[Turn]]:
    """Return the turns of the bare encoder, one more, and those of the system."""
    plain, whole = [encode(bare, parts[-1])], []
    _show(console, "encoder", plain[-1])
    for part in parts:
        turn = answer(running, part, backlog=True)
        if turn.hits or turn.encoded != len(part):
            console.print(f"not all misses: {turn.hits} hits, {turn.encoded} encoded")
        whole.append(turn)
        _show(console, "Kafka to Kafka", turn)
        plain.append(encode(bare, part))
        _show(console, "encoder", plain[-1])
    return plain, whole


def _parts(bare: Embedder, texts: Sequence[str], size: int) -> list[list[str]]:
    """Return a list of at most `size` texts for every round, of the same lengths as nearly as can
    be; no text twice, so that every one is a miss."""
    chosen = texts[: ROUNDS * min(size, len(texts) // ROUNDS)]
    lengths = [len(encoded.ids) for encoded in bare.tokenizer.encode(chosen)]
    places = sorted(range(len(chosen)), key=lambda n: lengths[n])
    return [[chosen[n] for n in sorted(places[first::ROUNDS])] for first in range(ROUNDS)]


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
    turn = uuid.uuid4().hex[:8]
    items = [
        Item(uri := f"bench:{turn}:{n}", json.dumps({"uri": uri, "body": text}).encode())
        for n, text in enumerate(texts)
    ]
    settings = replace(running.settings, process="bench")
    reader = kafka.consumer(settings)
    topic = settings.topic(names.CLASSIFICATIONS.name)
    ends = kafka.bounds(reader, topic)
    reader.assign([TopicPartition(topic, p, high) for p, (_, high) in ends.items()])
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
            raise system.NotStarted(f"{len(values)} results of {len(items)} after {LONGEST_S} s")
    seconds = time.perf_counter() - started
    reader.close()
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


def _show(console: Console, what: str, turn: Turn) -> None:
    shares = ", ".join(
        f"{name} {1e6 * s / turn.articles:.0f}" for name, s in sorted(turn.cpu_s.items())
    )
    busy = "" if turn.busy_s is None else f"engine busy {turn.busy_s / turn.seconds:.0%}  "
    console.print(
        f"{what:15} {turn.articles:6} articles {turn.rate:7.1f}/s  {busy}"
        f"CPU us an article: {turn.cpu_us:.0f} ({shares})",
        highlight=False,
    )
