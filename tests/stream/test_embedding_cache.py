"""The cache of embeddings against a real Valkey, and against none."""

from __future__ import annotations

import numpy as np
import redis

from infra import names
from infra.settings import Settings
from stream.cache_server import CacheServer
from stream.embedding_cache import Embedding, EmbeddingCache

PRINT = "f" * 32
WIDTH = 4
VECTOR = np.array([0.5, -0.5, 0.5, 0.5], np.float16)
TIMEOUT_MS = 500


def cache(services: Settings) -> EmbeddingCache:
    return EmbeddingCache(CacheServer(services.cache, TIMEOUT_MS))


def test_what_was_put_comes_back_bit_for_bit(services: Settings) -> None:
    cache(services).put_many(PRINT, {"d1": Embedding(VECTOR, truncated=True)})
    found = cache(services).get_many(PRINT, ["d1", "unknown"], WIDTH)
    assert list(found) == ["d1"]
    assert found["d1"].vector.tobytes() == VECTOR.tobytes()
    assert found["d1"].truncated is True


def test_another_encoder_finds_nothing(services: Settings) -> None:
    cache(services).put_many(PRINT, {"d2": Embedding(VECTOR, truncated=False)})
    assert cache(services).get_many("e" * 32, ["d2"], WIDTH) == {}


def test_junk_in_the_cache_is_a_miss(services: Settings) -> None:
    server = redis.Redis.from_url(services.cache)
    server.set(names.embedding_key(PRINT, "junk"), b"x" * (8 + 1 + 2 * WIDTH))
    assert cache(services).get_many(PRINT, ["junk"], WIDTH) == {}


def test_the_value_of_another_key_is_a_miss(services: Settings) -> None:
    server = redis.Redis.from_url(services.cache)
    cache(services).put_many(PRINT, {"d3": Embedding(VECTOR, truncated=False)})
    server.copy(names.embedding_key(PRINT, "d3"), names.embedding_key(PRINT, "d4"))
    assert list(cache(services).get_many(PRINT, ["d3", "d4"], WIDTH)) == ["d3"]


def test_a_killed_text_is_forgotten(services: Settings) -> None:
    cache(services).put_many(PRINT, {"d5": Embedding(VECTOR, truncated=False)})
    assert cache(services).forget([PRINT], ["d5"]) is True
    assert cache(services).get_many(PRINT, ["d5"], WIDTH) == {}


def test_without_a_server_everything_is_a_miss_and_forgetting_is_not_confirmed() -> None:
    nowhere = EmbeddingCache(CacheServer("redis://127.0.0.1:1/0", TIMEOUT_MS))
    nowhere.put_many(PRINT, {"d6": Embedding(VECTOR, truncated=False)})
    assert nowhere.get_many(PRINT, ["d6"], WIDTH) == {}
    assert nowhere.forget([PRINT], ["d6"]) is False
