"""One trial: start, feed, strike, wait until all is answered, and judge."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.settings import Settings
from tests.chaos import articles, expected, journal, observed, rescored, verdict
from tests.chaos.faults import Faults, Struck
from tests.chaos.feeder import Feeder
from tests.running import Running

TRANSACTION_S = 15.0  # a dead agent's open transaction ends within this
QUIET_S = 3.0  # after the last expected message, for one too many to show itself
ANSWERED_WITHIN_S = 240.0
RESCORED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Plan:
    """What one trial does."""

    articles: int
    faults: list[str]
    seed: int
    rate: float
    transactional: bool = False


@dataclass(frozen=True)
class Blow:
    """One fault and what followed, in seconds from it; None where nothing was left to answer."""

    fault: str
    on: tuple[str, ...]
    first_result_s: float | None
    last_partition_s: float | None
    bound_s: float | None

    @property
    def is_late(self) -> bool:
        """Whether the first new result came after the bound."""
        if self.first_result_s is None or self.bound_s is None:
            return False
        return self.first_result_s > self.bound_s


@dataclass
class Outcome:
    """What came of a trial; `problems` is empty when all is as it must be.

    A late result is no problem: on a busy machine it says more about the machine.
    """

    figures: dict[str, Any]
    blows: list[Blow]
    problems: list[str]

    @property
    def late(self) -> list[Blow]:
        """The faults after which the first result came late."""
        return [blow for blow in self.blows if blow.is_late]


def run(
    system: Running,
    plan: Plan,
    folder: Path,
    *,
    verified: bool = True,
    answered_within_s: float = ANSWERED_WITHIN_S,
) -> Outcome:
    """Feed and strike a running system, then judge all that came out since the beginning.

    What has not come `answered_within_s` after the last fault is lost.
    """
    kafka = system.settings.kafka
    start = observed.stable_ends(kafka, [observed.RESULTS, observed.DEADLETTERS])
    sent = articles.messages(articles.Corpus(Settings().assets), plan.articles, plan.seed)
    path = folder / "journal.jsonl"
    feeder = Feeder(kafka, path, sent, plan.rate, transactional=plan.transactional, seed=plan.seed)
    watcher = observed.Watcher(kafka, start)
    faults = Faults(system, plan.faults, plan.articles / plan.rate, plan.seed)
    watcher.start()
    feeder.start()
    faults.start()
    feeder.join()
    faults.join()
    lines = journal.read(path)
    wanted = expected.expect(lines)
    _wait_answered(watcher, wanted.keys(), answered_within_s)
    system.wait_ready()
    _wait_rescored(watcher)
    hanging = _wait_closed(kafka)
    watcher.close()
    after = observed.read_after(kafka, start)
    degraded = {seen.origin for seen in after if seen.degraded}
    again = rescored.published_again(kafka) if degraded else []
    if degraded:
        wanted = expected.expect([*lines, *again], degraded)
    left = rescored.still_degraded(after)
    judged = verdict.judge(wanted, after)
    problems = [*feeder.failures, *faults.failures, *judged.examples()]
    differing = verdict.differences(watcher.seen, after)
    problems += [f"differs between the verifiers: {one}" for one in differing[: verdict.SHOWN]]
    problems += [f"open transactions: {hanging}"] if hanging else []
    problems += [f"still degraded: {uri}" for uri in left[: verdict.SHOWN]]
    by_place = {(line.partition, line.offset): line for line in lines}
    blows = [_blow(s, verdict.resumption(s.at, by_place, watcher.seen)) for s in faults.struck]
    figures: dict[str, Any] = {
        "articles": len(lines),
        "expected": len(wanted),
        "seen": len(after),
        "faults": len(blows),
        "lost": len(judged.lost),
        "doubled": len(judged.doubled),
        "reordered": len(judged.reordered),
        "unexpected": len(judged.unexpected),
        "wrong": len(judged.wrong),
        "degraded": len(degraded),
        "published_again": len(again),
        "still_degraded": len(left),
        "verifiers_differ": len(differing),
        "open_transactions": len(hanging),
        "first_result_s": verdict.spread(blow.first_result_s for blow in blows),
        "last_partition_s": verdict.spread(blow.last_partition_s for blow in blows),
        "late": sum(blow.is_late for blow in blows),
        "struck": [asdict(blow) for blow in blows],
    }
    if faults.swaps:
        figures["swaps"] = faults.swaps.done
        figures["models"] = sorted({s["model"] for seen in after for s in seen.subjects})
    if verified:
        _reckon(system, figures, problems)
    return Outcome(figures, blows, problems)


def _blow(struck: Struck, resumed: verdict.Resumption) -> Blow:
    first, last = (s if s is None else round(s, 2) for s in (resumed.any_s, resumed.worst_s))
    return Blow(struck.kind, struck.names, first, last, struck.bound_s)


def _wait_answered(
    watcher: observed.Watcher, places: Collection[expected.Place], within_s: float
) -> None:
    deadline = time.monotonic() + within_s
    left = set(places)
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left -= {seen.origin for seen in watcher.seen}
    time.sleep(QUIET_S)


def _wait_rescored(watcher: observed.Watcher) -> None:
    """Wait until degraded results are answered again, where there are any."""
    deadline = time.monotonic() + RESCORED_WITHIN_S
    while rescored.still_degraded(watcher.seen) and time.monotonic() < deadline:
        time.sleep(0.5)


def _wait_closed(kafka: str) -> dict[str, int]:
    """Return the transactions that are still open after the time that one may take."""
    deadline = time.monotonic() + TRANSACTION_S
    while (hanging := observed.open_transactions(kafka)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return hanging


def _reckon(system: Running, figures: dict[str, Any], problems: list[str]) -> None:
    """Ask the system itself: its ledger, and every label computed again."""
    for name, command, field, wanted in (
        ("ledger_difference", ("ledger", "--json"), "difference", 0),
        ("verify_agreement", ("verify", "--json"), "agreement", 1.0),
    ):
        answer = system.command(*command, timeout_s=400)
        try:
            value = json.loads(answer.stdout)[field]
        except (ValueError, KeyError):
            value = None
        figures[name] = value
        if value is None or not math.isclose(value, wanted):
            problems.append(f"wireroom {' '.join(command)}: {answer.stdout}{answer.stderr}"[:600])
