"""From publishing an article to its result being readable, at 70 % of what the system can do."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from confluent_kafka import Consumer
from rich.console import Console

from infra import names
from stream import kafka
from tests.bench.corpus import Supply
from tests.bench.figures import Figure
from tests.bench.load import arrivals, percentile
from tests.bench.system import NotStarted, System
from tests.bench.turns import LONGEST_S, articles, results_from_now_on

SHARE = 0.7
ROUNDS = 3
ROUND_S = 8.0
WARM_UP_S = 2.0  # of each round, not counted: the first requests meet an idle system


def measure(running: System, supply: Supply, capacity: float, console: Console) -> Figure:
    """Return the median of the rounds' p99; `capacity` is in articles a second, all misses.

    Raises NotStarted where results stay away.
    """
    rate = SHARE * capacity
    ends = []
    for n in range(ROUNDS):
        due = arrivals(rate, WARM_UP_S + ROUND_S, seed=n)
        waits = _open_loop(running, supply.take(len(due)), due)
        counted = [wait for wait, at in zip(waits, due, strict=True) if at > WARM_UP_S]
        p50, p99 = (1e3 * percentile(counted, share) for share in (0.5, 0.99))
        ends.append(p99)
        console.print(
            f"{rate:.0f} articles/s, {SHARE:.0%} of {capacity:.0f}: p50 {p50:.0f} ms, "
            f"p99 {p99:.0f} ms",
            highlight=False,
        )
    return Figure(
        "e2e_p99_ms_at_70",
        "ms from publishing to a readable result at 70 % of capacity",
        "<= 250",
        value=round(statistics.median(ends), 1),
    )


def _open_loop(running: System, texts: list[str], due: list[float]) -> list[float]:
    """Publish each text when it is due; return the seconds from then to its result."""
    settings = replace(running.settings, process="bench")
    items = articles(texts)
    producer = kafka.producer(settings)
    topic = settings.topic(names.ARTICLES.name)
    seen: dict[str, float] = {}
    with results_from_now_on(settings) as reader, ThreadPoolExecutor(1) as pool:
        enough = threading.Event()
        reading = pool.submit(_read, reader, len(items), seen, enough)
        try:
            started = time.perf_counter()
            for item, at in zip(items, due, strict=True):
                time.sleep(max(0.0, started + at - time.perf_counter()))
                producer.produce(topic, key=item.uri.encode(), value=item.value)
                producer.poll(0)
            producer.flush()
            reading.result()
        finally:
            enough.set()  # told to end half way, nobody waits for the rest
    if len(seen) < len(items):
        raise NotStarted(f"{len(seen)} results of {len(items)} after {LONGEST_S} s")
    return [seen[item.uri] - started - at for item, at in zip(items, due, strict=True)]


def _read(reader: Consumer, count: int, seen: dict[str, float], enough: threading.Event) -> None:
    """Note when the result of each uri is read, until there are `count` or it is enough."""
    deadline = time.perf_counter() + LONGEST_S
    while len(seen) < count and time.perf_counter() < deadline and not enough.is_set():
        message = reader.poll(0.1)
        if message is not None and not message.error():
            seen.setdefault((message.key() or b"").decode(), time.perf_counter())
