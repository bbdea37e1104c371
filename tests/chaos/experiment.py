"""One experiment: feed, break, wait, and compare what came out with what must."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.articles import Corpus, messages
from tests.chaos.expected import expect
from tests.chaos.faults import Done, Saboteur, schedule
from tests.chaos.feeder import Feeder
from tests.chaos.journal import read
from tests.chaos.observed import (
    DEADLETTERS,
    RESULTS,
    Watcher,
    open_transactions,
    read_after,
    stable_ends,
)
from tests.chaos.verdict import Resumption, differences, judge, resumption, spread
from tests.running import Running

SETTLE_S = 240.0  # after the feed: the backlog, and a broker that must come back
TRANSACTION_S = 15.0  # an open transaction of a dead agent ends within this
SAMPLE = 500


@dataclass(frozen=True)
class Report:
    """What an experiment found."""

    summary: dict[str, Any]
    faults: list[tuple[Done, Resumption]]
    examples: list[str]
    is_clean: bool


def run(
    system: Running,
    folder: Path,
    *,
    articles: int,
    rate: float,
    faults: dict[str, int],
    seed: int,
    say: Callable[[str], None],
) -> Report:
    """Run one experiment on `system`, which nothing else feeds; its journal lies in `folder`."""
    kafka = system.settings.kafka
    start = stable_ends(kafka, [RESULTS, DEADLETTERS])
    corpus = Corpus(system.home)
    feeder = Feeder(kafka, folder / "journal.jsonl", messages(corpus, articles, seed), rate)
    saboteur = Saboteur(system, schedule(faults, articles / rate, seed), seed)
    watcher = Watcher(kafka, start)
    began = time.monotonic()
    for thread in (watcher, feeder, saboteur):
        thread.start()
    while feeder.is_alive() or saboteur.is_alive():
        say(f"sent {feeder.sent}, seen {len(watcher.seen)}, faults {len(saboteur.done)}")
        time.sleep(1)
    lines = read(folder / "journal.jsonl")
    expected = expect(lines)
    deadline = time.monotonic() + SETTLE_S
    while len(watcher.seen) < len(expected) and time.monotonic() < deadline:
        say(f"sent {feeder.sent}, seen {len(watcher.seen)} of {len(expected)}")
        time.sleep(0.2)
    took_s = time.monotonic() - began
    time.sleep(2)  # whatever comes too much comes now
    deadline = time.monotonic() + TRANSACTION_S
    while (left_open := open_transactions(kafka)) and time.monotonic() < deadline:
        time.sleep(0.5)
    watcher.close()
    after = read_after(kafka, start)
    verdict = judge(expected, after)
    apart = differences(watcher.seen, after)
    places = {(line.partition, line.offset): line for line in lines if not line.aborted}
    resumed = [(done, resumption(done.at, places, watcher.seen)) for done in saboteur.done]
    ledger = json.loads(system.command("ledger", "--json").stdout)
    verified = json.loads(system.command("verify", "--sample", str(SAMPLE), "--json").stdout)
    summary = {
        "articles": len(lines),
        "results": len(after),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "reordered": len(verdict.reordered),
        "wrong": len(verdict.wrong) + len(verdict.unexpected),
        "readers_differ": len(apart),
        "open_transactions": len(left_open),
        "first_result_s": spread([r.any_s for _, r in resumed if r.any_s is not None]),
        "worst_partition_s": spread([r.worst_s for _, r in resumed if r.worst_s is not None]),
        "ledger_difference": ledger["difference"],
        "ledger_waiting": ledger["waiting"],
        "verify_checked": verified["checked"],
        "verify_agreed": verified["agreed"],
        "seconds": round(took_s, 1),
        "feed_failures": len(feeder.failures),
    }
    is_clean = (
        verdict.is_clean
        and not apart
        and not left_open
        and not feeder.failures
        and ledger["difference"] == 0
        and verified["checked"] == verified["agreed"]
    )
    examples = [*verdict.examples(), *apart[:5], *feeder.failures[:5]]
    return Report(summary, resumed, examples, is_clean)
