"""The ledger's identity: every article that came in is accounted for, counted from the topics.

inputs = first results + later revisions + dead letters + kills + duplicates + held + waiting

It is exact at any moment, under load too. Each partition's committed offset is read first, with
the account that was committed beside it. Then the outputs are counted, up to their ends as they
are now, as far as their origin lies before that offset. Results, dead letters, kills and held
articles are counted on their topics; duplicates leave no message, so the account tells them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec
from confluent_kafka import Message

from infra import names
from infra.settings import Settings
from stream import account, dead_letters, kafka
from stream.account import Account

OUTCOMES = (
    "first_results",
    "later_revisions",
    "dead_letters",
    "kills",
    "duplicates",
    "held",
)
Counted = Literal["first_results", "later_revisions", "dead_letters", "kills", "held"]


class _Result(msgspec.Struct):
    """What the count needs of a result."""

    origin: dict[str, int]
    stale: bool
    supersedes: dict[str, Any] | None


_results = msgspec.json.Decoder(_Result)


@dataclass(frozen=True)
class PartitionLedger:
    """The ledger of one partition; `committed` is the offset up to which articles are answered."""

    partition: int
    committed: int
    inputs: int
    first_results: int
    later_revisions: int
    dead_letters: int
    kills: int
    duplicates: int
    held: int
    waiting: int
    expired: int

    @property
    def difference(self) -> int:
        """Articles unaccounted for (over 0) or accounted for twice (under 0)."""
        outcomes = sum(int(getattr(self, outcome)) for outcome in OUTCOMES)
        return self.inputs - outcomes - self.waiting


@dataclass(frozen=True)
class Ledger:
    """All partitions; `expired` articles are older than the topic's retention, and not counted."""

    partitions: list[PartitionLedger] = field(default_factory=list)

    def __getattr__(self, name: str) -> int:
        """Return a figure's sum over the partitions."""
        if name in (*OUTCOMES, "inputs", "waiting", "expired", "difference"):
            return sum(int(getattr(partition, name)) for partition in self.partitions)
        raise AttributeError(name)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON: totals, then every partition's."""
        figures = ("inputs", *OUTCOMES, "waiting", "expired", "difference")
        totals = {name: getattr(self, name) for name in figures}
        rows = [{**asdict(p), "difference": p.difference} for p in self.partitions]
        return {**totals, "partitions": rows}


def ledger(settings: Settings) -> Ledger:
    """Count every partition; raises kafka.KafkaUnavailable. Reads the topics once, whole."""
    committed = account.committed(settings, range(names.PARTITIONS))
    articles = settings.topic(names.ARTICLES.name)
    outputs = _count_outputs(settings, {p: offset for p, (offset, _) in committed.items()})
    reader = kafka.consumer(settings)
    try:
        span = kafka.bounds(reader, articles)
    finally:
        reader.close()
    inputs: Counter[tuple[int, bool]] = Counter()
    for message in kafka.read_to_end(settings, articles):
        partition, offset = kafka.place(message)
        inputs[partition, offset < committed[partition][0]] += 1
    return Ledger(
        [
            _partition(p, offset, accounted, span[p][0], inputs, outputs)
            for p, (offset, accounted) in sorted(committed.items())
        ]
    )


def _partition(
    partition: int,
    offset: int,
    accounted: Account,
    first: int,
    inputs: Mapping[tuple[int, bool], int],
    outputs: Mapping[tuple[int, Counted], int],
) -> PartitionLedger:
    read, waiting = inputs.get((partition, True), 0), inputs.get((partition, False), 0)
    counted = {name: outputs.get((partition, name), 0) for name in _KINDS}
    duplicates = accounted.duplicate
    expired = 0
    if first > 0:
        # Retention has taken articles and perhaps their results: what is left cannot be told from
        # the topics, so the account speaks for all that was ever read.
        expired = accounted.inputs - read
        read = accounted.inputs
        counted = {
            "first_results": accounted.first,
            "later_revisions": accounted.revision,
            "dead_letters": accounted.deadletter,
            "kills": accounted.kill,
            "held": accounted.held,
        }
    return PartitionLedger(
        partition=partition,
        committed=max(offset, 0),
        inputs=read + waiting,
        duplicates=duplicates,
        waiting=waiting,
        expired=expired,
        **counted,
    )


_KINDS: tuple[Counted, ...] = (
    "first_results",
    "later_revisions",
    "dead_letters",
    "kills",
    "held",
)


def _count_outputs(
    settings: Settings, committed: Mapping[int, int]
) -> Counter[tuple[int, Counted]]:
    """Count the outputs whose article lies before its partition's committed offset."""
    counts: Counter[tuple[int, Counted]] = Counter()

    def add(origin: tuple[int, int], kind: Counted) -> None:
        if origin[1] < committed.get(origin[0], -1):
            counts[origin[0], kind] += 1

    for message in kafka.read_to_end(settings, settings.topic(names.CLASSIFICATIONS.name)):
        value = message.value()
        if value is None:
            add(_header_origin(message), "kills")
            continue
        result = _results.decode(value)
        first = result.supersedes is None and not result.stale
        origin = (result.origin["partition"], result.origin["offset"])
        add(origin, "first_results" if first else "later_revisions")
    for message in kafka.read_to_end(settings, settings.topic(names.DEADLETTERS.name)):
        letter = dead_letters.parse(message)
        if letter.topic == settings.topic(names.ARTICLES.name):
            add((letter.partition, letter.offset), "dead_letters")
    for message in kafka.read_to_end(settings, settings.topic(names.HELD.name)):
        add(_header_origin(message), "held")
    return counts


def _header_origin(message: Message) -> tuple[int, int]:
    partition, _, offset = (kafka.header(message, names.ORIGIN_HEADER) or "-1/-1").partition("/")
    return int(partition), int(offset)
