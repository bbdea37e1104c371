"""What a router leaves for the next one: its encoders in use, by id with their fingerprints.

The next one loads them before it is asked, and knows what they were while they are away. A
fingerprint is empty where its encoder never was loaded.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "engine-encoders.json"


def read(folder: Path) -> dict[str, str]:
    """Return what a router before us left; nothing where it left none that can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def write(folder: Path, encoders: dict[str, str]) -> None:
    """Leave a note, whole or not at all; raises OSError."""
    fresh = (folder / FILE).with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(encoders))
    fresh.replace(folder / FILE)
