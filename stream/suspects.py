"""Texts that may have killed an engine: found by what was being computed when it died.

Before a batch is computed its keys are written to a file of that process and thread, which outlives
a SIGKILL in the page cache. Whoever starts the next process finds there what its forerunner died
on; those texts are computed alone from then on, each while nothing else runs in its process, so
that the next death names one text. A text on which engines died twice alone is given up: whoever
asks for it is told so. So a poisonous text costs three deaths, and an engine killed from outside
blames nobody. All processes of one folder share their suspects, whichever of them died.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

Key = tuple[str, str]
"""Encoder id and text digest."""

DEATHS_ALONE = 2
REMEMBERED_S = 3600.0
"""A suspect is given another chance after this: the runtime may have been mended meanwhile."""

STATE = "engine-suspects.json"
LOCK = "engine-suspects.lock"
COMPUTING = "engine-computing-"
LENGTH_BYTES = 4


class Suspect(msgspec.Struct, frozen=True):
    """A text an engine was computing when it died: how often alone, and when first."""

    key: Key
    deaths_alone: int
    at: float


class Suspects:
    """The suspects as one process sees them; `folder` outlives it. For any number of threads."""

    def __init__(self, folder: Path, process: str = "0") -> None:
        """Read them; what an earlier process of this name left is accused now."""
        self._folder = folder
        self._process = process
        self._lock = threading.Lock()
        self._slots: dict[int, int] = {}  # file descriptors, by slot
        self._known: dict[Key, Suspect] = {}
        self._read: tuple[int, int] | None = None  # which state of the file `_known` is
        accuse(folder, process)
        self.refresh()

    def __contains__(self, key: Key) -> bool:
        """Tell whether a text must be computed alone."""
        return key in self._known

    def poisonous(self, key: Key) -> bool:
        """Tell whether a text is given up."""
        suspect = self._known.get(key)
        return suspect is not None and suspect.deaths_alone >= DEATHS_ALONE

    def refresh(self) -> None:
        """Take note of what other processes died on; costs a microsecond where none did."""
        state = _state_of(self._folder)
        if state != self._read:
            self._known = _load(self._folder)
            self._read = state

    def begin(self, slot: int, keys: Sequence[Key]) -> None:
        """Note that the thread of `slot` computes these texts from now on."""
        body = msgspec.msgpack.encode(list(keys))
        os.pwrite(self._slot(slot), len(body).to_bytes(LENGTH_BYTES, "big") + body, 0)

    def end(self, slot: int, keys: Sequence[Key]) -> None:
        """Note that they are computed: none of them is poisonous."""
        os.pwrite(self._slot(slot), bytes(LENGTH_BYTES), 0)
        if any(key in self._known for key in keys):
            with self._lock, _locked(self._folder):
                known = _load(self._folder)
                for key in keys:
                    known.pop(key, None)
                _save(self._folder, known)
            self.refresh()

    def _slot(self, slot: int) -> int:
        if slot not in self._slots:
            path = self._folder / f"{COMPUTING}{self._process}-{slot}"
            self._slots[slot] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._slots[slot]


def accuse(folder: Path, process: str = "*") -> None:
    """Count the death of a process, of all by default: what they were computing is suspect."""
    folder.mkdir(parents=True, exist_ok=True)
    left = sorted(folder.glob(f"{COMPUTING}{process}-*"))
    if not left:
        return
    with _locked(folder):
        known = _load(folder)
        for slot in left:
            _accuse(known, _read_slot(slot))
            slot.unlink()
        _save(folder, known)


def _accuse(known: dict[Key, Suspect], keys: Iterable[Key]) -> None:
    several = list(keys)
    for key in several:
        before = known.get(key, Suspect(key, 0, time.time()))
        deaths = before.deaths_alone + (len(several) == 1)
        known[key] = Suspect(key, deaths, before.at)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the file; the kernel releases it at a death."""
    with (folder / LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _state_of(folder: Path) -> tuple[int, int] | None:
    try:
        status = (folder / STATE).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _load(folder: Path) -> dict[Key, Suspect]:
    try:
        suspects = msgspec.json.decode((folder / STATE).read_bytes(), type=list[Suspect])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}  # a file cut short by a full disk accuses nobody
    oldest = time.time() - REMEMBERED_S
    return {s.key: s for s in suspects if s.at > oldest}


def _save(folder: Path, known: dict[Key, Suspect]) -> None:
    path = folder / STATE
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(list(known.values())))
    fresh.replace(path)


def _read_slot(path: Path) -> list[Key]:
    content = path.read_bytes()
    length = int.from_bytes(content[:LENGTH_BYTES], "big")
    try:
        return msgspec.msgpack.decode(content[LENGTH_BYTES : LENGTH_BYTES + length], type=list[Key])
    except msgspec.DecodeError:
        return []  # nothing was being computed
