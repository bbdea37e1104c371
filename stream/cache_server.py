"""The server of what may be lost: calls that never raise and never wait long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import redis
import xxhash

from infra import metrics, names
from ml.sealing import KeyRing, SealError, is_sealed

FindRing = Callable[[], KeyRing | None]
"""Called for every batch, because keys are rotated while agents run."""

log = logging.getLogger(__name__)

CHECKSUM_BYTES = 8
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0  # a hung cache costs one timeout this often: under 3 % at 100 ms


class CacheServer:
    """A connection to a Redis that may be away, late, full or filled with junk at any time.

    Every value carries a checksum of its key and its bytes, so neither noise nor the value of
    another key is ever taken for what was put: junk is not there. With a key ring new
    values are sealed; what lies there plain is still read, and one whose key is gone is not there.
    """

    def __init__(self, address: str, timeout_ms: int, ring: FindRing = lambda: None) -> None:
        self._client = redis.Redis.from_url(
            address,
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            retry=None,
        )
        self._ring = ring
        self._pause_s = FIRST_PAUSE_S
        self._closed_until = 0.0

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what was put under each key, None where it is not there; one MGET."""
        nothing: list[bytes | None] = [None] * len(keys)
        if not keys or not self._usable():
            return nothing
        try:
            values = cast("list[bytes | None]", self._client.mget(keys))
        except (redis.RedisError, OSError) as error:
            self._failed("get", error)
            return nothing
        self._pause_s = FIRST_PAUSE_S
        ring = self._ring()
        return [decode(ring, key, value) for key, value in zip(keys, values, strict=True)]

    def put(self, payloads: Mapping[str, bytes]) -> None:
        """Keep payloads by key for an embedding's time; what cannot be kept is dropped."""
        if not payloads or not self._usable():
            return
        pipe, ring = self._client.pipeline(transaction=False), self._ring()
        for key, payload in payloads.items():
            pipe.set(key, encode(ring, key, payload), ex=names.EMBEDDING_TTL_S)
        try:
            refused = [r for r in pipe.execute(raise_on_error=False) if isinstance(r, Exception)]
        except (redis.RedisError, OSError) as error:
            self._failed("put", error)
            return
        if refused:  # a full server that may not evict still answers reads
            metrics.CACHE_ERRORS.labels("refused").inc(len(refused))

    def delete(self, keys: Sequence[str]) -> bool:
        """Delete keys, also while the server is left alone; returns whether it has confirmed it."""
        if not keys:
            return True
        try:
            self._client.delete(*keys)
        except (redis.RedisError, OSError) as error:
            self._failed("forget", error)
            return False
        return True

    def _usable(self) -> bool:
        return time.monotonic() >= self._closed_until

    def _failed(self, kind: str, error: Exception) -> None:
        """Leave the server alone for a while, longer each time, so that it slows nothing."""
        metrics.CACHE_ERRORS.labels(kind).inc()
        log.warning("cache %s failed, pausing it for %.1f s: %s", kind, self._pause_s, error)
        self._closed_until = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def encode(ring: KeyRing | None, key: str, payload: bytes) -> bytes:
    """Return the value to put under a key: sealed, or behind a checksum; a seal is one too."""
    if ring is not None and ring.current:
        return ring.seal(payload, key)
    return _checksum(key, payload) + payload


def decode(ring: KeyRing | None, key: str, value: bytes | None) -> bytes | None:
    """Return a value's payload, None where the bytes are not what was put under this key."""
    if value is None:
        return None
    if ring is not None and is_sealed(value):
        try:
            return ring.open(value, key)
        except SealError:
            metrics.CACHE_ERRORS.labels("junk").inc()
            return None
    payload = value[CHECKSUM_BYTES:]
    if value[:CHECKSUM_BYTES] != _checksum(key, payload):
        metrics.CACHE_ERRORS.labels("junk").inc()
        return None
    return payload


def _checksum(key: str, payload: bytes) -> bytes:
    return xxhash.xxh3_64_digest(key.encode() + payload)
