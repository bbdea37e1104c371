"""What was lost, doubled, reordered or wrong: what came out against what must."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos.expected import Expected, Place
from tests.chaos.journal import Line
from tests.chaos.observed import DEADLETTERS, Seen

SHOWN = 5


@dataclass
class Verdict:
    """Every list names what is wrong; all empty means exactly once, in order."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.reordered or self.unexpected or self.wrong)

    def examples(self) -> list[str]:
        """Return some of what is wrong, in words."""
        lists = ("lost", "doubled", "reordered", "unexpected", "wrong")
        return [f"{name}: {item}" for name in lists for item in getattr(self, name)[:SHOWN]]


def judge(expected: dict[Place, Expected], seen: Iterable[Seen]) -> Verdict:
    """Compare what was seen, in the order it was seen, with what must be."""
    verdict = Verdict()
    found: dict[Place, Seen] = {}
    events: dict[tuple[str, int, int], Place] = {}
    last: dict[tuple[str, int], int] = {}
    for item in seen:
        place = item.origin
        where = f"{item.topic} {item.partition}/{item.offset} of {place[0]}/{place[1]}"
        lane = (item.topic, item.partition)
        if place[0] != item.partition or place[1] < last.get(lane, -1):
            verdict.reordered.append(f"{where} after {last.get(lane)}")
        last[lane] = max(place[1], last.get(lane, -1))
        if place in found:
            verdict.doubled.append(f"{where}, also at offset {found[place].offset}")
            continue
        found[place] = item
        wanted = expected.get(place)
        if wanted is None:
            verdict.unexpected.append(f"{where}: {item.outcome}")
            continue
        if wanted != item.outcome:
            verdict.wrong.append(f"{where}: expected {wanted}, got {item.outcome}")
        if item.outcome.kind == "result":
            event = (item.outcome.uri, item.outcome.version, item.outcome.revision)
            if event in events:
                verdict.doubled.append(f"{where}: {event} was told for {events[event]} too")
            events[event] = place
    verdict.lost = [f"{p}/{o}: {expected[p, o]}" for p, o in expected if (p, o) not in found]
    return verdict


def differences(during: Sequence[Seen], after: Sequence[Seen]) -> list[str]:
    """Return what one verifier saw and the other did not: an aborted read, or a lost write."""
    one = {(s.topic, s.partition, s.offset): s.outcome for s in during}
    other = {(s.topic, s.partition, s.offset): s.outcome for s in after}
    return [f"{place}" for place in one.keys() ^ other.keys()] + [
        f"{place} changed" for place in one.keys() & other.keys() if one[place] != other[place]
    ]


@dataclass(frozen=True)
class Resumption:
    """Seconds from a fault to the first result made after it: of any, and of the last partition."""

    any_s: float | None
    worst_s: float | None


def resumption(at: float, lines: dict[Place, Line], seen: Sequence[Seen]) -> Resumption:
    """Return how soon results came after a fault at `at`.

    In each partition the clock starts when there was something to answer.
    """
    firsts: dict[int, float] = {}
    waits: defaultdict[int, float] = defaultdict(float)
    for item in seen:
        if item.topic == DEADLETTERS or item.classified_at < at or item.partition in firsts:
            continue
        firsts[item.partition] = item.seen_at - at
        line = lines.get(item.origin)
        waits[item.partition] = item.seen_at - max(at, line.at if line else at)
    if not firsts:
        return Resumption(None, None)
    return Resumption(min(firsts.values()), max(waits.values()))


def spread(values: Iterable[float | None]) -> dict[str, float | None]:
    """Return median and maximum of those that are there, None where there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return {"median": None, "max": None}
    return {"median": round(statistics.median(known), 2), "max": round(max(known), 2)}
