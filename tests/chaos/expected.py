"""What must come out: a sequential model over the journal, in each partition's order.

Written from the design's words, not from the code: one state a uri, one message at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.journal import Line, in_order

Outcome = Literal["result", "deadletter", "tombstone"]
Place = tuple[int, int]
"""Partition and offset on the input topic."""


@dataclass(frozen=True)
class Expected:
    """The one message that an input must give; the rest is that of a result."""

    kind: Outcome
    uri: str
    version: int = 0
    revision: int = 0
    digest: str = ""
    stale: bool = False
    supersedes: tuple[int, int] | None = None


@dataclass
class _Uri:
    killed: bool = False
    latest: int | None = None
    created: str | None = None
    versions: dict[int, tuple[int, str]] = field(default_factory=dict)  # revision, digest
    degraded: bool = False  # the latest one's result


def expect(lines: Iterable[Line], degraded: Collection[Place] = ()) -> dict[Place, Expected]:
    """Return what each input gives, by its place; a duplicate and an aborted input give nothing.

    Which results were `degraded` is no matter of order, so it is told, by the place of their input.
    """
    known: dict[str, _Uri] = {}
    outcomes: dict[Place, Expected] = {}
    for line in in_order(lines):
        if line.aborted:
            continue
        state = known.setdefault(line.uri, _Uri())
        place = line.partition, line.offset
        if (expected := _one(line, state)) is not None:
            outcomes[place] = expected
            if expected.kind == "result" and not expected.stale:
                state.degraded = place in degraded
    return outcomes


def _one(line: Line, state: _Uri) -> Expected | None:
    if line.meaning == "bad":
        return Expected("deadletter", line.uri)
    if line.meaning == "rescore":
        return _again(line, state)
    if line.meaning == "kill" or state.killed:
        state.killed = True
        return Expected("tombstone", line.uri)
    digest = line.digest or ""
    version = line.version
    if version is None:  # the order of arrival is the version
        if state.latest is not None and state.versions[state.latest][1] == digest:
            return None
        version = (state.latest or 0) + 1
    revision, before = state.versions.get(version, (0, ""))
    if before == digest:
        return None
    revision += 1
    stale = state.latest is not None and version != state.latest and _is_older(line, version, state)
    replaced = None
    if state.latest is not None and not stale:
        replaced = (state.latest, state.versions[state.latest][0])
    state.versions[version] = (revision, digest)
    if not stale:
        state.latest, state.created = version, line.created or state.created
    return Expected("result", line.uri, version, revision, digest, stale, replaced)


def _again(line: Line, state: _Uri) -> Expected | None:
    """Return the next revision of the latest version, where that is what was degraded."""
    version = state.latest
    if version is None or state.killed or not state.degraded:
        return None
    revision, digest = state.versions[version]
    if digest != line.digest or line.version not in (None, version):
        return None
    state.versions[version] = (revision + 1, digest)
    replaced = (version, revision)
    return Expected("result", line.uri, version, revision + 1, digest, supersedes=replaced)


def _is_older(line: Line, version: int, state: _Uri) -> bool:
    if line.created and state.created and line.created != state.created:
        return line.created < state.created
    return version < (state.latest or 0)
