"""The engine's memory over articles of random lengths: `python -m tests.bench.memory [--articles N]`.

A real engine process behind its socket. Most articles are as short as a newswire's, few are as long
as books. Texts that are odd in every way are computed first and last, and must get the same vectors.
Exit code 1 where a worker outgrew its bound, was replaced, or answered otherwise.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console

from infra import settings as settings_file
from infra.settings import Settings
from ml.artifact import ArtifactError, encoder_path, find_encoder
from stream.engine_client import EngineClient
from tests.bench import corpus, machine
from tests.bench.figures import Figure, show
from tests.bench.lone_engine import Engine, NoEngine, lone_engine

ENCODER = "minilm-l6"
ARTICLES = 200_000
POINTS = 40  # of the curve
CALLERS = 2
AT_ONCE = 64  # texts of a request, as an agent's
TYPICAL_WORDS, SPREAD = 22.0, 1.0  # of the log-normal that most lengths follow
LONG_SHARE, LONG_WORDS = 0.001, (1_000, 160_000)  # 160,000 words are 200,000 tokens and more
EMPTY_SHARE = 0.002
MIB = 2**20

ODD = {
    "no token": "",
    "one token": "oil",
    "512 tokens": "oil " * 510,
    "200,000 tokens": "oil prices " * 100_000,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f6e2\ufe0f \U0001f1e9\U0001f1ea "
    * 200,
    "right to left": "\u202eأسعار النفط ترتفع في لندن שוק המניות\u202c " * 50,
    "control characters": "".join(map(chr, (*range(1, 32), *range(127, 160)))) * 20,
    "one word of 50,000 letters": "x" * 50_000,
}


@dataclass(frozen=True)
class Point:
    """The worker after so many articles."""

    articles: int
    seconds: float
    pid: int
    rss: int


def texts(words: Sequence[str], count: int, seed: int = 4) -> Iterator[str]:
    """Yield different texts, always the same ones, of lengths from nothing to a long book's."""
    draw = random.Random(seed)
    for n in range(count):
        kind = draw.random()
        if kind < EMPTY_SHARE:
            yield ""
            continue
        if kind < EMPTY_SHARE + LONG_SHARE:
            length = int(math.exp(draw.uniform(*map(math.log, LONG_WORDS))))
        else:
            length = max(1, int(draw.lognormvariate(math.log(TYPICAL_WORDS), SPREAD)))
        first = draw.randrange(len(words))
        several = words[first : first + length]
        while len(several) < length:
            several = [*several, *words[: length - len(several)]]
        yield f"{n} {' '.join(several)}"


def measure(settings: Settings, articles: int, console: Console) -> tuple[list[Point], bool]:
    """Return the curve, and whether the odd texts got the same vectors at its end.

    Raises ArtifactError, NoEngine.
    """
    encoder = find_encoder(settings.assets, ENCODER).id
    words = [word for text in corpus.read(settings.assets) for word in text.split()]
    bound = settings.engine_memory_mb
    with tempfile.TemporaryDirectory(prefix="wireroom-bench-") as name:
        home = Path(name)
        (home / "encoders").mkdir()
        encoder_path(home, encoder).symlink_to(encoder_path(settings.assets, encoder).resolve())
        with lone_engine(settings, home) as engine, ThreadPoolExecutor(CALLERS) as callers:
            clients = [EngineClient(engine.address) for _ in range(CALLERS)]
            try:
                before = _odd(clients[0], encoder)
                console.print(
                    f"{'articles':>9} {'articles/s':>11} {'RSS MiB':>9}  bound {bound} MiB"
                )
                curve = [_point(engine, 0, time.perf_counter())]
                _print(console, curve)
                started, done = time.perf_counter(), 0
                every = max(1, articles // POINTS)
                supply = texts(words, articles)
                while portion := list(islice(supply, CALLERS * AT_ONCE)):
                    halves = [portion[n::CALLERS] for n in range(CALLERS)]
                    list(callers.map(lambda c, t: c.embed(encoder, t), clients, halves))
                    done += len(portion)
                    if done // every > curve[-1].articles // every or done == articles:
                        curve.append(_point(engine, done, started))
                        _print(console, curve)
                after = _odd(clients[0], encoder)
            finally:
                for client in clients:
                    client.close()
    return curve, after == before


def _odd(client: EngineClient, encoder: str) -> list[bytes]:
    """Return the vectors of the odd texts; raises ValueError where one is no unit vector."""
    vectors = [embedding.vector for embedding in client.embed(encoder, list(ODD.values()))]
    for name, vector in zip(ODD, vectors, strict=True):
        length = float(np.linalg.norm(vector.astype(np.float32)))
        if not abs(length - 1) < 0.01:
            raise ValueError(f"{name}: a vector of length {length}")
    return [vector.tobytes() for vector in vectors]


def _point(engine: Engine, articles: int, started: float) -> Point:
    workers = engine.workers()
    pid = max(workers, key=lambda p: workers[p])
    return Point(articles, time.perf_counter() - started, pid, workers[pid])


def _print(console: Console, curve: Sequence[Point]) -> None:
    point = curve[-1]
    rate = f"{point.articles / point.seconds:.0f}" if point.articles else ""
    replaced = "" if point.pid == curve[0].pid else "  replaced"
    console.print(
        f"{point.articles:9} {rate:>11} {point.rss / MIB:9.1f}{replaced}", highlight=False
    )


def main() -> int:
    """Print the curve and its figures; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.memory", description=__doc__)
    parser.add_argument("--articles", type=int, default=ARTICLES)
    articles: int = parser.parse_args().articles
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(machine.describe())
    settings = settings_file.load()
    try:
        curve, is_same = measure(settings, articles, console)
    except (ArtifactError, NoEngine) as error:
        console.print(f"{error} (`make setup` fetches what is missing)", markup=False)
        return 1
    bound = settings.engine_memory_mb
    most = max(point.rss for point in curve) / MIB
    # The first half compiles for the shapes that it meets; what grows after that grows for ever.
    halves = curve[: len(curve) // 2], curve[len(curve) // 2 :]
    early, late = (statistics.median(point.rss for point in half) for half in halves)
    figures = [
        Figure("engine_memory_mib", "most that a worker held", f"<= {bound}", value=round(most, 1)),
        Figure(
            "engine_memory_growth", "second half / first", "<= 1.1", value=round(late / early, 4)
        ),
        Figure("odd_vectors_equal", "odd texts: first and last alike", "1", value=float(is_same)),
    ]
    show(console, figures)
    for figure in figures:
        print(figure.as_json())
    replaced = {point.pid for point in curve} != {curve[0].pid}
    return int(most > bound or replaced or not is_same)


if __name__ == "__main__":
    sys.exit(main())
