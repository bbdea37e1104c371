"""Bringing what lies in a home to its ring's current key, or back to plain bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ml import sealing
from ml.artifact import MANIFEST
from ml.sealing import ID_BYTES, MAGIC, SealError

PLAIN = ""
"""The key of what is not sealed."""

SEALED_FOLDERS = ("encoders", "datasets", "models", "embeddings")


def files(home: Path) -> Iterator[Path]:
    """Yield every file that is sealed where a home has a ring; manifests stay plain."""
    for folder in SEALED_FOLDERS:
        for file in sorted((home / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(home).parts)
            if file.is_file() and not hidden and file.name != MANIFEST:
                yield file


def count(home: Path) -> Counter[str]:
    """Return how many files are sealed under each key; `PLAIN` counts those that are not."""
    return Counter(_key(file) for file in files(home))


def reseal(home: Path) -> int:
    """Seal every file under the current key, unseal them all where the ring names none.

    Returns how many changed. Stopped half-way it goes on at the next call: each file is whole all
    the time, and readers hold every key. Raises SealError.
    """
    ring = sealing.find_ring(home)
    if ring is None:
        raise SealError(f"{home / sealing.RING_FILE} is missing: nothing is sealed")
    changed = 0
    for file in files(home):
        if _key(file) == ring.current:
            continue
        value = sealing.read(file)
        sealing.replace(file, ring.seal(value, file.name) if ring.current else value)
        changed += 1
    return changed


def drop(home: Path, key: str) -> None:
    """Take a key out of the ring; raises SealError where it is unknown, current or in use."""
    ring = sealing.find_ring(home)
    if ring is None or key not in ring.keys:
        raise SealError(f"the ring holds no key {key}")
    if used := count(home)[key]:
        raise SealError(f"{used} files are sealed under key {key}; `wireroom keys reseal` first")
    sealing.save_ring(home, ring.without(key))


def _key(file: Path) -> str:
    with file.open("rb") as stream:
        beginning = stream.read(len(MAGIC) + ID_BYTES)
    return sealing.key_of(beginning) if sealing.is_sealed(beginning) else PLAIN
