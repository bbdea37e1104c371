"""Group engine: our encoder against what a user would otherwise pick; int8; latency under load.

Same weights, same texts, tokenizing included. Ours runs before and after every peer, A B A B, and a
peer is compared with the mean of the two, so that a neighbour who comes or goes shows in the spread.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from infra.settings import Settings
from ml.artifact import encoder_path, list_models, model_path
from ml.datasets import load_dataset
from ml.embedder import Embedder
from ml.head import Head
from tests.bench import corpus, engine_latency, int8
from tests.bench.figures import Figure
from tests.bench.peers import environment, peer
from tests.bench.peers.environment import PeersUnavailable

CLASSIFIER = "topic"
TEXTS = 384  # 18,000 tokens: below a second of ours, eight of the slowest
ROUNDS = 3


@dataclass
class Contestant:
    """One way to encode, what it took each round, and ours around it; all in seconds."""

    title: str
    seconds: Callable[[], float]
    agreement: float
    documented: bool = False
    exact: bool = True
    took: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as this we were, each round."""
        return [their / our for their, our in zip(self.took, self.ours, strict=True)]


def measure(settings: Settings, console: Console) -> list[Figure]:
    """Return the group's figures; raises ArtifactError, lone_engine.NoEngine."""
    texts = corpus.read(settings.assets)
    model = list_models(settings.assets, CLASSIFIER)[-1]
    head = Head.load(model_path(settings.assets, model.name))
    ours = _embedder(settings, settings.assets, model.encoder)
    exact = Embedder(encoder_path(settings.assets, model.encoder), "openvino", "f32")
    sample = texts[:TEXTS]
    tokens = sum(len(encoded.ids) for encoded in ours.tokenizer.encode(sample))
    console.print(
        f"{model.encoder} on {ours.runtime.name} in {ours.runtime.precision}, "
        f"{ours.runtime.streams} streams; {len(sample)} texts of {tokens / len(sample):.0f} tokens "
        "on average",
        highlight=False,
    )
    with tempfile.TemporaryDirectory(prefix="wireroom-bench-") as name, ExitStack() as running:
        home = Path(name)
        quantized = int8.quantize(settings.assets, home, CLASSIFIER)
        twin = _embedder(settings, home, quantized["encoder"])
        wanted = head.scores(exact.embed(sample)[0]).argmax(axis=1)

        def agreement(vectors: np.ndarray) -> float:
            return float(np.mean(head.scores(vectors).argmax(axis=1) == wanted))

        own = partial(_seconds, ours, sample)
        contestants = [
            Contestant(
                "ours, int8",
                partial(_seconds, twin, sample),
                agreement(twin.embed(sample)[0]),
                exact=False,
            ),
            *_peers(settings, console, sample, agreement, running),
        ]
        own()
        _take_turns(own, contestants)
        latency = engine_latency.measure(settings, home, model.encoder, texts[TEXTS:], console)
    _show(console, tokens, contestants, agreement(ours.embed(sample)[0]))
    return [
        *_against_peers(contestants),
        _agreement(settings, model.dataset, head, ours, exact),
        *_of_int8(console, quantized, contestants),
        latency,
    ]


def _embedder(settings: Settings, home: Path, encoder: str) -> Embedder:
    return Embedder(
        encoder_path(home, encoder),
        settings.runtime,
        settings.precision,
        settings.threads,
        settings.token_budget,
    )


def _seconds(embedder: Embedder, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    embedder.embed(texts)
    return time.perf_counter() - started


def _peers(
    settings: Settings,
    console: Console,
    texts: Sequence[str],
    agreement: Callable[[np.ndarray], float],
    running: ExitStack,
) -> list[Contestant]:
    """Start every peer; its first pass, which compiles for every shape, tells its agreement."""
    try:
        place = environment.make(settings.assets)
    except PeersUnavailable as error:
        console.print(f"no peers: {error}", markup=False)
        return []
    started = []
    for one in peer.PEERS:
        try:
            process = peer.start(place, one)
        except PeersUnavailable as error:
            console.print(f"without {one.title}: {error}", markup=False)
            continue
        running.callback(process.close)
        started.append(
            Contestant(
                one.title,
                partial(process.seconds, texts),
                agreement(process.vectors(texts)),
                one.documented,
                one.exact,
            )
        )
    return started


def _take_turns(own: Callable[[], float], contestants: Sequence[Contestant]) -> None:
    before = own()
    for _ in range(ROUNDS):
        for contestant in contestants:
            contestant.took.append(contestant.seconds())
            after = own()
            contestant.ours.append((before + after) / 2)
            before = after


def _show(
    console: Console, tokens: int, contestants: Sequence[Contestant], agreement: float
) -> None:
    table = Table("engine", "useful tokens/s", "ours / it  (spread)", "equal argmax with f32")
    ours = statistics.median(s for contestant in contestants for s in contestant.ours)
    table.add_row("ours", f"{tokens / ours:.0f}", "", f"{agreement:.4f}")
    for contestant in contestants:
        low, high = min(contestant.ratios), max(contestant.ratios)
        table.add_row(
            contestant.title,
            f"{tokens / statistics.median(contestant.took):.0f}",
            f"{statistics.median(contestant.ratios):.3f}  ({low:.3f} to {high:.3f})",
            f"{contestant.agreement:.4f}",
        )
    console.print(table)


def _against_peers(contestants: Sequence[Contestant]) -> list[Figure]:
    figures = []
    for name, documented, goal in (
        ("engine_vs_best_peer", True, ">= 1.25"),
        ("engine_vs_expert", False, ">= 1"),
    ):
        rivals = [
            c
            for c in contestants
            if c.exact and c.documented == documented and not c.title.startswith("ours")
        ]
        if rivals:
            # By the ratios, not by the seconds: the machine's own pace changes meanwhile.
            best = min(rivals, key=lambda c: statistics.median(c.ratios))
            figures.append(
                Figure(name, f"useful tokens/s / {best.title}", goal, ratios=best.ratios)
            )
    return figures


def _agreement(
    settings: Settings, dataset: str, head: Head, ours: Embedder, exact: Embedder
) -> Figure:
    _, rows = load_dataset(settings.assets, dataset)
    texts = [row.text for row in rows if row.split == "test"]
    answers = [head.scores(e.embed(texts)[0]).argmax(axis=1) for e in (ours, exact)]
    return Figure(
        "engine_agreement",
        f"equal argmax with f32, {len(texts)} held-out texts of {dataset}",
        ">= 0.995",
        value=round(float(np.mean(answers[0] == answers[1])), 5),
    )


def _of_int8(
    console: Console, quantized: dict[str, Any], contestants: Sequence[Contestant]
) -> list[Figure]:
    metrics = quantized["metrics"]
    verdict = "deployable" if quantized["deployable"] else "; ".join(quantized["reasons"])
    console.print(
        f"{quantized['encoder']}: accuracy {metrics['accuracy']:.4f}, head {metrics['head']}; {verdict}",
        markup=False,
        highlight=False,
    )
    twin = contestants[0]
    return [
        Figure(
            "int8_vs_own",
            "useful tokens/s of our int8 / of our own precision",
            ">= 1.3",
            ratios=[1 / ratio for ratio in twin.ratios],
        ),
        Figure(
            "int8_agreement",
            "equal argmax with our own precision, held-out texts",
            ">= 0.99",
            value=round(metrics["agreement"], 5),
        ),
    ]
