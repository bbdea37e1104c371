"""How fast the stream is without its cache: `python -m tests.chaos.cache_rate`.

Texts that nobody has sent before, so that every one is encoded: with a healthy cache, and with one
that is hung, dead, full, or full of junk. Healthy turns stand before and after each other one, which
is compared with their mean. The last line is JSON: the ratios, to be 0.8 at least.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from infra.settings import Settings
from tests.answers import ask
from tests.chaos import spoiling
from tests.chaos.articles import Corpus
from tests.chaos.kinds import ALWAYS
from tests.running import Running, running, wait_until

WARM_UP = 3  # turns: a broker and an agent just started are slow for the first thousands
PAUSE_S = 6.0  # an agent leaves a cache that failed alone for up to 5 s
RECENT_S = 11.0  # the engine itself remembers a vector for 10 s
KEPT_DEAD_S = 0.1
ROW = "{:<10} {:>10} {:>8}"


@contextmanager
def hung(system: Running) -> Iterator[None]:
    """Stop the cache."""
    system.kill("cache", signal.SIGSTOP)
    yield


@contextmanager
def dead(system: Running) -> Iterator[None]:
    """Kill the cache, and again each time it is started."""
    stopping = threading.Event()

    def kill() -> None:
        while not stopping.wait(KEPT_DEAD_S):
            if system.process("cache")["pid"]:
                with suppress(ProcessLookupError):  # dead, and the supervisor has not noticed yet
                    system.kill("cache")

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        yield
    finally:
        stopping.set()
        killing.join()


@contextmanager
def full(system: Running) -> Iterator[None]:
    """Leave the cache no memory."""
    spoiling.full(system.settings.cache)
    yield


SPOILED: dict[str, Callable[[Running], AbstractContextManager[None]]] = {
    "hung": hung,
    "dead": dead,
    "full": full,
}


class Turns:
    """Turns of `count` texts each on one system."""

    def __init__(self, system: Running, count: int) -> None:
        self._system = system
        self._count = count
        self._corpus = Corpus(Settings().assets)
        self._turn = 0

    def new_texts(self) -> list[str]:
        """Return texts that were never sent."""
        draw = random.Random(self._turn)
        return [f"{self._corpus.text(draw)} {self._turn} {n}" for n in range(self._count)]

    def measure(self, texts: list[str]) -> float:
        """Send them as new articles; return articles a second, until the last result is readable."""
        self._turn += 1
        articles = {f"turn:{self._turn}:{n}": text for n, text in enumerate(texts)}
        began = time.monotonic()
        answers = ask(self._system, articles)
        rate = len(texts) / (time.monotonic() - began)
        hits = sum(answer.subjects[0].embedding == "hit" for answer in answers.values())
        assert hits == 0, f"{hits} of {len(texts)} came out of the cache"
        return rate

    def mend(self) -> None:
        """Start the cache anew and wait until the agents use it."""
        pid = self._system.process("cache")["pid"]
        if pid:
            self._system.kill("cache")
        wait_until(lambda: self._system.process("cache")["pid"] not in (pid, None), 60, "a cache")
        self._system.wait_ready()
        time.sleep(PAUSE_S)


def measure(system: Running, count: int) -> tuple[list[float], dict[str, float]]:
    """Return the rates with a healthy cache, and the other rates by what was wrong."""
    turns = Turns(system, count)
    for _ in range(WARM_UP):
        turns.measure(turns.new_texts())
    healthy, spoiled = [turns.measure(turns.new_texts())], {}
    for name, spoil in SPOILED.items():
        with spoil(system):
            spoiled[name] = turns.measure(turns.new_texts())
        turns.mend()
        known = turns.new_texts()
        healthy.append(turns.measure(known))
    time.sleep(RECENT_S)
    assert spoiling.junk(system.settings.cache) >= count
    spoiled["junk"] = turns.measure(known)
    healthy.append(turns.measure(turns.new_texts()))
    return healthy, spoiled


def main() -> int:
    """Measure on a system started for it, and print a table and the ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cache_rate", description=__doc__)
    parser.add_argument("--articles", type=int, default=3_000, help="of each turn")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cache-rate-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        with running(home, "--only", *ALWAYS) as system:
            healthy, spoiled = measure(system, given.articles)
    ratios = {
        name: round(rate / statistics.mean(healthy[n : n + 2]), 3)
        for n, (name, rate) in enumerate(spoiled.items())
    }
    print(ROW.format("cache", "articles/s", "ratio"))
    for n, (name, rate) in enumerate(spoiled.items()):
        print(ROW.format("healthy", f"{healthy[n]:.0f}", ""))
        print(ROW.format(name, f"{rate:.0f}", f"{ratios[name]:.2f}"))
    print(ROW.format("healthy", f"{healthy[-1]:.0f}", ""))
    print(json.dumps({"healthy_per_s": round(statistics.median(healthy), 1), "ratio": ratios}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
