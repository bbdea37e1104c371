"""The cache with a key ring: what lies in Redis, and what is read across a rotation."""

from __future__ import annotations

import numpy as np
import pytest
import redis

from infra.settings import Settings
from ml.sealing import KeyRing
from stream.cache_server import CacheServer, decode, encode
from stream.embedding_cache import Embedding, EmbeddingCache

OLD = KeyRing("", {}).with_new_key()
NEW = OLD.with_new_key()
VECTOR = np.array([0, 0.125, 0.25, 0.375], np.float16)


def test_a_sealed_value_reads_under_its_key_alone() -> None:
    value = encode(OLD, "a", b"vector")

    assert b"vector" not in value
    assert decode(NEW, "a", value) == b"vector"  # the rotated ring holds the old key
    assert decode(OLD, "b", value) is None
    assert decode(NEW.without(OLD.current), "a", value) is None
    assert decode(None, "a", value) is None


def test_what_was_put_before_encryption_is_still_read() -> None:
    assert decode(OLD, "a", encode(None, "a", b"vector")) == b"vector"


def test_a_ring_that_seals_no_more_still_opens() -> None:
    off = KeyRing("", OLD.keys)

    assert decode(off, "a", encode(OLD, "a", b"vector")) == b"vector"
    assert decode(None, "a", encode(off, "a", b"vector")) == b"vector"


@pytest.mark.parametrize("junk", [b"", b"\x93WRSEAL1", b"\x93WRSEAL1" + bytes(40), bytes(20)])
def test_junk_is_not_there(junk: bytes) -> None:
    assert decode(OLD, "a", junk) is None


def test_keys_rotate_under_a_running_cache(services: Settings) -> None:
    rings = [OLD]
    server = CacheServer(services.cache, 500, lambda: rings[-1])
    cache = EmbeddingCache(server)
    cache.put_many("f" * 32, {"d1": Embedding(VECTOR, truncated=False)})
    rings.append(NEW)
    cache.put_many("f" * 32, {"d2": Embedding(VECTOR, truncated=True)})

    found = cache.get_many("f" * 32, ["d1", "d2"], 4)

    assert found["d1"].vector.tolist() == VECTOR.tolist()
    assert (found["d1"].truncated, found["d2"].truncated) == (False, True)
    with redis.Redis.from_url(services.cache) as client:
        [stored] = client.mget(list(client.scan_iter(f"*{'f' * 32}:d2")))
    assert VECTOR.tobytes() not in stored
