"""What the figures were measured on: without it none can be compared."""

from __future__ import annotations

import os
from pathlib import Path

from ml.runtimes import allowed_threads

FLAGS = ("amx_tile", "amx_bf16", "amx_int8", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni")
"""Instructions that decide how fast an encoder can be; /proc/cpuinfo's names."""


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return processor, cores, instruction flags and load as one line."""
    fields: dict[str, str] = {}
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    present = set(fields.get("flags", "").split())
    flags = " ".join(f"{flag} {'yes' if flag in present else 'no'}," for flag in FLAGS)
    load = os.getloadavg()[0]
    return (
        f"{fields.get('model name', 'unknown processor')}, {allowed_threads()} cores; "
        f"{flags} load before {load:.2f}"
    )
