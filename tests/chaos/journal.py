"""What Kafka took: one line for each acknowledged message, on disk before it counts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.chaos.articles import Meaning

SYNC_S = 0.1


class Line(msgspec.Struct, frozen=True):
    """One acknowledged message; `at` is when the acknowledgement came, seconds since 1970."""

    sequence: int
    uri: str
    meaning: Meaning
    version: int | None
    created: str | None
    digest: str | None
    partition: int
    offset: int
    at: float
    aborted: bool = False


class Journal:
    """A file of lines, forced to disk every tenth of a second and at the end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._encoder = msgspec.json.Encoder()
        self._synced_at = 0.0

    def add(self, line: Line) -> None:
        """Write one line."""
        self._file.write(self._encoder.encode(line) + b"\n")

    def sync(self, *, now: bool = False) -> None:
        """Force what was written to disk, if it is time or `now`."""
        if now or time.monotonic() - self._synced_at >= SYNC_S:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._synced_at = time.monotonic()

    def close(self) -> None:
        """Force everything to disk and close the file."""
        self.sync(now=True)
        self._file.close()


def read(path: Path) -> list[Line]:
    """Return the journal's lines."""
    decoder = msgspec.json.Decoder(Line)
    with path.open("rb") as lines:
        return [decoder.decode(line) for line in lines]


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Return the lines in the order in which Kafka holds them, partition after partition."""
    return sorted(lines, key=lambda line: (line.partition, line.offset))
