"""What encryption at rest costs: `python -m tests.bench.sealing`.

A cached vector of `minilm-l6` is 769 bytes; its seal replaces a checksum.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from ml.sealing import OVERHEAD, KeyRing
from stream.cache_server import CHECKSUM_BYTES, decode, encode

PAYLOAD = os.urandom(1 + 2 * 384)
MANY = 20_000
ROUNDS = 5
FILE = os.urandom(64 * 1024 * 1024)


def main() -> int:
    """Print microseconds a vector, and seconds a gigabyte, sealed and plain."""
    ring = KeyRing("", {}).with_new_key()
    key = "wire:embedding:" + "0" * 65
    plain, sealed = encode(None, key, PAYLOAD), encode(ring, key, PAYLOAD)
    file = ring.seal(FILE, "encoder.bin")
    figures = {
        "put_plain_us": _each(lambda: encode(None, key, PAYLOAD)),
        "put_sealed_us": _each(lambda: encode(ring, key, PAYLOAD)),
        "get_plain_us": _each(lambda: decode(None, key, plain)),
        "get_sealed_us": _each(lambda: decode(ring, key, sealed)),
        "bytes_more": OVERHEAD - CHECKSUM_BYTES,
        "seal_file_mb_per_s": _rate(lambda: ring.seal(FILE, "encoder.bin")),
        "open_file_mb_per_s": _rate(lambda: ring.open(file, "encoder.bin")),
    }
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))
    return 0


def _each(call: Callable[[], object]) -> float:
    """Return the microseconds of one call, the median of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(MANY):
            call()
        rounds.append((time.perf_counter() - began) / MANY * 1e6)
    return statistics.median(rounds)


def _rate(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return len(FILE) / 1e6 / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
