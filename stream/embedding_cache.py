"""Embeddings by text, kept in Redis: may be lost, late, full or filled with junk at any time.

A value is `checksum (8 bytes) | flags (1 byte) | float16 vector`. The checksum covers the key too,
so neither noise nor another text's vector is ever taken for an answer: junk is a miss.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import redis
import xxhash

from infra import metrics, names

log = logging.getLogger(__name__)

CHECKSUM_BYTES = 8
TRUNCATED = 1
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0  # a hung cache costs one timeout this often: under 3 % at 100 ms


EmbeddingOrigin = Literal["hit", "miss", "near"]
"""Where an article's embedding came from: the cache, the engine, or an earlier text much like it."""


@dataclass(frozen=True)
class Embedding:
    """A text's vector, float16 `(D,)` of length 1, and whether words were left out of it."""

    vector: npt.NDArray[np.float16]
    truncated: bool


class EmbeddingCache:
    """A cache that never raises and never waits long: without it, articles are encoded."""

    def __init__(self, address: str, timeout_ms: int) -> None:
        self._client = redis.Redis.from_url(
            address,
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            retry=None,
        )
        self._pause_s = FIRST_PAUSE_S
        self._closed_until = 0.0

    def get_many(
        self, fingerprint: str, digests: Sequence[str], width: int
    ) -> dict[str, Embedding]:
        """Return the embeddings that are there, by digest; one MGET."""
        if not digests or not self._usable():
            return {}
        keys = [names.embedding_key(fingerprint, digest) for digest in digests]
        try:
            values = cast("list[bytes | None]", self._client.mget(keys))
        except (redis.RedisError, OSError) as error:
            self._failed("get", error)
            return {}
        self._pause_s = FIRST_PAUSE_S
        found = {}
        for digest, key, value in zip(digests, keys, values, strict=True):
            if value is None:
                continue
            embedding = unpack(key, value, width)
            if embedding is None:
                metrics.CACHE_ERRORS.labels("junk").inc()
            else:
                found[digest] = embedding
        return found

    def put_many(self, fingerprint: str, embeddings: Mapping[str, Embedding]) -> None:
        """Keep embeddings by digest; what cannot be kept is dropped."""
        if not embeddings or not self._usable():
            return
        pipe = self._client.pipeline(transaction=False)
        for digest, embedding in embeddings.items():
            key = names.embedding_key(fingerprint, digest)
            pipe.set(key, pack(key, embedding), ex=names.EMBEDDING_TTL_S)
        try:
            refused = [r for r in pipe.execute(raise_on_error=False) if isinstance(r, Exception)]
        except (redis.RedisError, OSError) as error:
            self._failed("put", error)
            return
        if refused:  # a full server that may not evict still answers reads
            metrics.CACHE_ERRORS.labels("refused").inc(len(refused))

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool:
        """Delete the vectors of killed texts; returns whether the server has confirmed it."""
        keys = [names.embedding_key(f, d) for f in fingerprints for d in digests]
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
        """Leave the cache alone for a while, longer each time, so that it slows nothing."""
        metrics.CACHE_ERRORS.labels(kind).inc()
        log.warning("cache %s failed, pausing it for %.1f s: %s", kind, self._pause_s, error)
        self._closed_until = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def pack(key: str, embedding: Embedding) -> bytes:
    """Return the bytes kept under `key`."""
    flags = TRUNCATED if embedding.truncated else 0
    payload = bytes([flags]) + embedding.vector.tobytes()
    return _checksum(key, payload) + payload


def unpack(key: str, value: bytes, width: int) -> Embedding | None:
    """Return the embedding under `key`, None where the bytes are not what was put there."""
    payload = value[CHECKSUM_BYTES:]
    if len(payload) != 1 + 2 * width or value[:CHECKSUM_BYTES] != _checksum(key, payload):
        return None
    vector = np.frombuffer(payload, np.float16, offset=1)
    return Embedding(vector, bool(payload[0] & TRUNCATED))


def _checksum(key: str, payload: bytes) -> bytes:
    return xxhash.xxh3_64_digest(key.encode() + payload)
