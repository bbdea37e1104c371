"""Group stream: Kafka in to Kafka out against the bare encoder, and what everything else costs.

Bare encoder and whole system take turns on the same cores: B A B A B. Each turn of the system is
compared with the mean of the bare encoder's turns before and after it, so that a neighbour who
comes or goes in between shows in the spread and hardly in the median.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console

from infra.settings import Settings
from ml.artifact import encoder_path, find_encoder
from ml.embedder import Embedder
from tests.bench import corpus, heads, naive, stream_latency, system
from tests.bench.figures import Figure
from tests.bench.system import System
from tests.bench.turns import Turn, answer, encode, show

ENCODER = "minilm-l6"  # what the goals were set for; the assets may hold others
ROUNDS = 3
ROUND_S = 5.0  # of the bare encoder; a turn's beginning and end then weigh little
WARM_UP, WARM_UPS = (
    1000,
    24,
)  # a broker just started compiles its own code: 250 us an article at first
COPIES, COPIED = 4, 500
HEADS_S = NAIVE_S = 3.0  # of the bare encoder, for a turn of what is measured beside it
GOAL = ">= 0.90, with AMX 0.85"


def measure(settings: Settings, console: Console) -> list[Figure]:
    """Return the group's figures; raises ArtifactError, system.NotStarted."""
    texts = corpus.read(settings.assets)
    encoder = find_encoder(settings.assets, ENCODER)
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
        show(console, "all seen", seen)
        together = answer(running, [text for text in copied for _ in range(COPIES)])
        show(console, f"{COPIES} copies", together)
        capacity = statistics.median(turn.rate for turn in whole)
        supply = corpus.Supply(texts, first_round=1)  # the plain ones are seen by now
        latency = stream_latency.measure(running, supply, capacity, console)
        many = heads.measure(running, supply, round(sample.rate * HEADS_S), console)
        against_naive = naive.measure(running, supply, round(sample.rate * NAIVE_S), console)
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
        latency,
        many,
        *against_naive,
    ]


def _turns(
    running: System, bare: Embedder, parts: Sequence[list[str]], console: Console
) -> tuple[list[Turn], list[Turn]]:
    """Return the turns of the bare encoder, one more, and those of the system."""
    plain, whole = [encode(bare, parts[-1])], []
    show(console, "encoder", plain[-1])
    for part in parts:
        turn = answer(running, part, backlog=True)
        if turn.hits or turn.encoded != len(part):
            console.print(f"not all misses: {turn.hits} hits, {turn.encoded} encoded")
        whole.append(turn)
        show(console, "Kafka to Kafka", turn)
        plain.append(encode(bare, part))
        show(console, "encoder", plain[-1])
    return plain, whole


def _parts(bare: Embedder, texts: Sequence[str], size: int) -> list[list[str]]:
    """Return a list of at most `size` texts for every round, of the same lengths as nearly as can
    be; no text twice, so that every one is a miss."""
    chosen = texts[: ROUNDS * min(size, len(texts) // ROUNDS)]
    lengths = [len(encoded.ids) for encoded in bare.tokenizer.encode(chosen)]
    places = sorted(range(len(chosen)), key=lambda n: lengths[n])
    return [[chosen[n] for n in sorted(places[first::ROUNDS])] for first in range(ROUNDS)]
