"""Texts that may have killed the engine: found by what was being computed when it died.

Before a batch is computed its keys are written to a file of that thread, which outlives a SIGKILL
in the page cache. The next engine finds there what its forerunner died on; those texts are computed
alone from then on, each while nothing else runs, so that the next death names one text. A text on
which the engine died twice alone is given up: whoever asks for it is told so. So a poisonous text
costs three deaths, and an engine killed from outside blames nobody.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

Key = tuple[str, str]
"""Encoder id and text digest."""

DEATHS_ALONE = 2
REMEMBERED_S = 3600.0
"""A suspect is given another chance after this: the runtime may have been mended meanwhile."""

STATE = "engine-suspects.json"
COMPUTING = "engine-computing-"
LENGTH_BYTES = 4


class Suspect(msgspec.Struct, frozen=True):
    """A text the engine was computing when it died: how often alone, and when first."""

    key: Key
    deaths_alone: int
    at: float


class Suspects:
    """The suspects of one engine; `folder` outlives it. For any number of threads."""

    def __init__(self, folder: Path) -> None:
        """Read what the forerunner left; its deaths are counted now."""
        self._folder = folder
        self._lock = threading.Lock()
        self._slots: dict[int, int] = {}  # file descriptors, by slot
        self._known: dict[Key, Suspect] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._load()
        for slot in sorted(folder.glob(f"{COMPUTING}*")):
            self._accuse(_read_slot(slot))
            slot.unlink()
        self._save()

    def __contains__(self, key: Key) -> bool:
        """Tell whether a text must be computed alone."""
        return key in self._known

    def poisonous(self, key: Key) -> bool:
        """Tell whether a text is given up."""
        suspect = self._known.get(key)
        return suspect is not None and suspect.deaths_alone >= DEATHS_ALONE

    def begin(self, slot: int, keys: Sequence[Key]) -> None:
        """Note that the thread of `slot` computes these texts from now on."""
        body = msgspec.msgpack.encode(list(keys))
        os.pwrite(self._slot(slot), len(body).to_bytes(LENGTH_BYTES, "big") + body, 0)

    def end(self, slot: int, keys: Sequence[Key]) -> None:
        """Note that they are computed: none of them is poisonous."""
        os.pwrite(self._slot(slot), bytes(LENGTH_BYTES), 0)
        if any(key in self._known for key in keys):
            with self._lock:
                for key in keys:
                    self._known.pop(key, None)
                self._save()

    def _slot(self, slot: int) -> int:
        if slot not in self._slots:
            path = self._folder / f"{COMPUTING}{slot}"
            self._slots[slot] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._slots[slot]

    def _accuse(self, keys: Iterable[Key]) -> None:
        several = list(keys)
        for key in several:
            known = self._known.get(key, Suspect(key, 0, time.time()))
            deaths = known.deaths_alone + (len(several) == 1)
            self._known[key] = Suspect(key, deaths, known.at)

    def _load(self) -> None:
        try:
            content = (self._folder / STATE).read_bytes()
            suspects = msgspec.json.decode(content, type=list[Suspect])
        except (FileNotFoundError, msgspec.DecodeError):
            return  # a file cut short by a full disk accuses nobody
        oldest = time.time() - REMEMBERED_S
        self._known = {s.key: s for s in suspects if s.at > oldest}

    def _save(self) -> None:
        path = self._folder / STATE
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(list(self._known.values())))
        fresh.replace(path)


def _read_slot(path: Path) -> list[Key]:
    content = path.read_bytes()
    length = int.from_bytes(content[:LENGTH_BYTES], "big")
    try:
        return msgspec.msgpack.decode(content[LENGTH_BYTES : LENGTH_BYTES + length], type=list[Key])
    except msgspec.DecodeError:
        return []  # nothing was being computed
