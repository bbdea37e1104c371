"""How long one article waits for its vector while the engine is busy at 70 % of what it can do.

A real engine process behind its socket, one text a request. Alone: a bare encoder in this process,
one text after another. Capacity: many callers, each of whom asks anew when answered. Then requests
come by themselves, a Poisson process, and latency counts from when each was due.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from infra.settings import Settings
from ml.artifact import encoder_path
from ml.embedder import Embedder
from stream.engine_client import EngineClient
from tests.bench.corpus import Supply
from tests.bench.figures import Figure
from tests.bench.load import arrivals, percentile
from tests.bench.lone_engine import lone_engine

CALLERS = 64
SHARE = 0.7
ROUNDS = 3
ALONE = 200
CAPACITY_S = 4.0
LOAD_S = 12.0


def measure(
    settings: Settings, home: Path, encoder: str, texts: Sequence[str], console: Console
) -> Figure:
    """Return p99 at 70 % of capacity / the mean of a text alone; `home` holds the encoder.

    Raises lone_engine.NoEngine.
    """
    bare = Embedder(
        encoder_path(home, encoder),
        settings.runtime,
        settings.precision,
        settings.threads,
        settings.token_budget,
    )
    ratios = []
    supply = Supply(texts)  # the engine remembers vectors for some seconds
    with lone_engine(settings, home) as engine, Callers(engine.address, encoder) as callers:
        _alone(bare, supply.take(ALONE))
        callers.capacity(supply.take(CALLERS * 16))
        for n in range(ROUNDS):
            alone = _alone(bare, supply.take(ALONE))
            rate = callers.capacity(supply.take(int(CAPACITY_S * 400)))
            due = arrivals(SHARE * rate, LOAD_S, seed=n)
            waits = callers.open_loop(supply.take(len(due)), due)
            p50, p99 = (percentile(waits, share) for share in (0.5, 0.99))
            ratios.append(p99 / statistics.mean(alone))
            console.print(
                f"a text alone {1e3 * statistics.mean(alone):.1f} ms (p99 "
                f"{1e3 * percentile(alone, 0.99):.1f}); engine's capacity {rate:.0f}/s; at "
                f"{SHARE:.0%} p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms",
                highlight=False,
            )
    return Figure(
        "engine_p99_at_70_vs_batch1",
        "p99 of one-text requests at 70 % of capacity / mean of a lone text",
        "<= 10",
        ratios=ratios,
    )


def _alone(bare: Embedder, texts: Sequence[str]) -> list[float]:
    """Return the seconds of each text, encoded alone."""
    took = []
    for text in texts:
        started = time.perf_counter()
        bare.embed([text])
        took.append(time.perf_counter() - started)
    return took


class Callers:
    """Threads with a connection each to one engine."""

    def __init__(self, address: str, encoder: str) -> None:
        self._encoder = encoder
        self._address = address
        self._own = threading.local()
        self._clients: list[EngineClient] = []
        self._threads = ThreadPoolExecutor(CALLERS)

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for client in self._clients:
            client.close()

    def _ask(self, text: str) -> float:
        """Have one text encoded; return when it was."""
        client: EngineClient | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = EngineClient(self._address)
            self._clients.append(client)
        client.embed(self._encoder, [text])
        return time.perf_counter()

    def capacity(self, texts: Sequence[str]) -> float:
        """Return the texts a second that the engine answers when every caller always waits."""
        started = time.perf_counter()
        list(self._threads.map(self._ask, texts))
        return len(texts) / (time.perf_counter() - started)

    def open_loop(self, texts: Sequence[str], due: Sequence[float]) -> list[float]:
        """Ask for each text when it is due; return the seconds from then to its answer."""
        started = time.perf_counter()
        answers = []
        for text, at in zip(texts, due, strict=True):
            time.sleep(max(0.0, started + at - time.perf_counter()))
            answers.append(self._threads.submit(self._ask, text))
        return [a.result() - started - at for a, at in zip(answers, due, strict=True)]
