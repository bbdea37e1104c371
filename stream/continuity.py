"""That an agent answers each partition from where it was committed, in order, leaving nothing out.

Faust and aiokafka decide which messages an agent gets. This watches them: a message that was
committed already would be answered twice, one that was left out never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from infra import names
from infra.settings import Settings
from stream import kafka


class Discontinuity(RuntimeError):
    """The messages do not go on where the partition was committed; the text says which."""


class Continuity:
    """The next offset of each partition that one agent holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic(names.ARTICLES.name)
        self._next: dict[int, int] = {}
        self._begun: set[int] = set()

    def assigned(self, committed: Mapping[int, int]) -> None:
        """Hold these partitions from now on, each from its committed offset (-1: none)."""
        self._next = dict(committed)
        self._begun = set()

    def check(self, places: Iterable[tuple[int, int]]) -> None:
        """Take note of messages (partition, offset) in their order; raises Discontinuity.

        Markers of a feed's own transactions take offsets too, so a gap is looked into where a
        partition is begun, and allowed afterwards.
        """
        for partition, offset in places:
            expected = self._next.get(partition)
            if expected is None:
                raise Discontinuity(f"{partition}/{offset} is of a partition that is not held")
            if offset < expected:
                raise Discontinuity(f"{partition}/{offset} is answered already")
            if partition not in self._begun and offset != expected:
                first = self._first_since(partition, max(0, expected))
                if first is not None and first < offset:
                    raise Discontinuity(f"{partition}/{first} was left out before {offset}")
            self._begun.add(partition)
            self._next[partition] = offset + 1

    def _first_since(self, partition: int, offset: int) -> int | None:
        for message in kafka.read_to_end(self._settings, self._topic, start={partition: offset}):
            return kafka.place(message)[1]
        return None
