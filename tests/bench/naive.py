"""Against what one would write in an afternoon: consume, Hugging Face pipeline, produce.

It reads the same articles from the same broker, in the peers' environment, while our agents idle.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from confluent_kafka.cimpl import NewTopic
from rich.console import Console

from infra import names
from infra.settings import Settings
from ml.artifact import list_models, model_path, read_tensors
from ml.head import HEAD_FILE
from stream import kafka
from tests.bench.corpus import Supply
from tests.bench.figures import Figure
from tests.bench.peers import environment
from tests.bench.peers.environment import PeersUnavailable
from tests.bench.peers.peer import Process
from tests.bench.system import System
from tests.bench.turns import answer, articles, show

ROUNDS = 3
ARTICLES = 240  # of a naive turn: three seconds
TIMES = 3  # each text of the feed with duplicates


def measure(running: System, supply: Supply, size: int, console: Console) -> list[Figure]:
    """Return our rate / the naive loop's, without duplicates and where two of three are.

    None where the peers' environment cannot be made; says why.
    """
    try:
        place = environment.make(running.settings.assets)
        with tempfile.TemporaryDirectory(prefix="wireroom-bench-") as folder:
            head = Path(folder) / "head.npz"
            model = list_models(running.settings.home)[0]
            tensors = read_tensors(model_path(running.settings.home, model.name) / HEAD_FILE)
            np.savez(head, labels=np.array(model.labels), **tensors)  # type: ignore[arg-type]  # its stub takes the tensors for its options
            topics = _topics(running.settings)
            arguments = [running.settings.kafka, *topics, str(place.models / "model"), str(head)]
            loop = Process.start(place, "naive_loop", *arguments)
            try:
                return _rounds(running, loop, topics[0], supply, size, console)
            finally:
                loop.close()
    except PeersUnavailable as error:
        console.print(f"no naive loop: {error}", markup=False)
        return []


def _rounds(
    running: System, loop: Process, topic: str, supply: Supply, size: int, console: Console
) -> list[Figure]:
    ratios: dict[bool, list[float]] = {False: [], True: []}
    for n in range(ROUNDS):
        for repeated in (False, True):
            feed = _feed(supply, TIMES * size // 2 if repeated else size, repeated, n)
            ours = answer(running, feed, backlog=True)
            show(console, "2/3 duplicates" if repeated else "no duplicates", ours)
            theirs = _naive(running.settings, loop, topic, _feed(supply, ARTICLES, repeated, n))
            console.print(
                f"{'naive loop':15} {ARTICLES:6} articles {theirs:7.1f}/s", highlight=False
            )
            ratios[repeated].append(ours.rate / theirs)
    meaning = "rate / confluent-kafka + Hugging Face pipeline"
    return [
        Figure("e2e_vs_naive", meaning, ">= 6", ratios=ratios[False]),
        Figure(
            "e2e_vs_naive_duplicates",
            f"{meaning}, 2 of 3 articles duplicates",
            ">= 18",
            ratios=ratios[True],
        ),
    ]


def _feed(supply: Supply, count: int, repeated: bool, seed: int) -> list[str]:
    """Return texts, all different or each three times, in an order without pattern."""
    if not repeated:
        return supply.take(count)
    texts = supply.take(count // TIMES) * TIMES
    random.Random(seed).shuffle(texts)
    return texts


def _naive(settings: Settings, loop: Process, topic: str, texts: Sequence[str]) -> float:
    """Return the naive loop's articles a second; all are published before the clock starts."""
    producer = kafka.producer(settings)
    for item in articles(texts):
        producer.produce(topic, key=item.uri.encode(), value=item.value)
    producer.flush()
    started = time.perf_counter()
    loop.ask({"count": len(texts)})
    return len(texts) / (time.perf_counter() - started)


def _topics(settings: Settings) -> list[str]:
    """Make two topics for the naive loop, in and out, and return their names."""
    made = [settings.topic(f"naive.{way}.{uuid.uuid4().hex[:6]}") for way in ("in", "out")]
    client = kafka.admin(settings)
    wanted = [NewTopic(name, num_partitions=names.PARTITIONS) for name in made]
    for future in client.create_topics(wanted).values():
        future.result(kafka.ANSWER_S)
    return made
