"""Embeddings by text, kept in Redis: may be lost, late, full or filled with junk at any time.

A value is `checksum (8 bytes) | flags (1 byte) | float16 vector`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from infra import metrics, names
from stream.cache_server import CacheServer

TRUNCATED = 1

EmbeddingOrigin = Literal["hit", "miss", "near"]
"""Where an article's embedding came from: the cache, the engine, or an earlier text much like it."""


@dataclass(frozen=True)
class Embedding:
    """A text's vector, float16 `(D,)` of length 1, and whether words were left out of it.

    `standby` is the int8 twin that computed it while the encoder was away; such a one is not kept.
    """

    vector: npt.NDArray[np.float16]
    truncated: bool
    standby: str | None = None


class EmbeddingCache:
    """A cache that never raises and never waits long: without it, articles are encoded."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server

    def get_many(
        self, fingerprint: str, digests: Sequence[str], width: int
    ) -> dict[str, Embedding]:
        """Return the embeddings that are there, by digest; one MGET."""
        keys = [names.embedding_key(fingerprint, digest) for digest in digests]
        found = {}
        for digest, payload in zip(digests, self._server.get(keys), strict=True):
            if payload is None:
                continue
            embedding = unpack(payload, width)
            if embedding is None:
                metrics.CACHE_ERRORS.labels("junk").inc()
            else:
                found[digest] = embedding
        return found

    def put_many(self, fingerprint: str, embeddings: Mapping[str, Embedding]) -> None:
        """Keep embeddings by digest; what cannot be kept is dropped."""
        self._server.put(
            {
                names.embedding_key(fingerprint, digest): pack(embedding)
                for digest, embedding in embeddings.items()
            }
        )

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool:
        """Delete the vectors of killed texts; returns whether the server has confirmed it."""
        return self._server.delete(
            [names.embedding_key(f, d) for f in fingerprints for d in digests]
        )


def pack(embedding: Embedding) -> bytes:
    """Return an embedding's payload."""
    flags = TRUNCATED if embedding.truncated else 0
    return bytes([flags]) + embedding.vector.tobytes()


def unpack(payload: bytes, width: int) -> Embedding | None:
    """Return the embedding in a payload, None where it is of another width."""
    if len(payload) != 1 + 2 * width:
        return None
    vector = np.frombuffer(payload, np.float16, offset=1)
    return Embedding(vector, bool(payload[0] & TRUNCATED))
