"""Texts nearly the same, found in a real Valkey, and in none."""

from __future__ import annotations

import numpy as np
import redis

from infra import names
from infra.settings import Settings
from ml.text import digest
from stream.cache_server import CacheServer
from stream.embedding_cache import Embedding, EmbeddingCache
from stream.engine_wire import Description
from stream.near_bounds import Bound
from stream.near_cache import NearCache, nowhere

BOUNDS = {"tiny+0000": Bound(window=256, similarity=0.8, confidence=0.9)}
ENCODER = Description("tiny+0000", "a" * 32, 4, ["en"], "openvino", "bf16")
TIMEOUT_MS = 500
EMBEDDING = Embedding(np.array([0.5, -0.5, 0.5, 0.5], np.float16), truncated=False)


def story(number: int) -> str:
    """Return an article of its own for a test: 120 words that stand in no other."""
    return " ".join(f"w{number}x{n}" for n in range(120))


def near(services: Settings, switched_on: bool = True) -> NearCache:
    server = CacheServer(services.cache, TIMEOUT_MS)
    return NearCache(server, BOUNDS.get if switched_on else nowhere)


def encoded(services: Settings, *texts: str) -> None:
    """Keep texts as the pipeline does that had them encoded."""
    cache = EmbeddingCache(CacheServer(services.cache, TIMEOUT_MS))
    cache.put_many(ENCODER.fingerprint, {digest(text): EMBEDDING for text in texts})
    sought = near(services).seek(ENCODER, {digest(text): text for text in texts})
    near(services).put(ENCODER.fingerprint, sought.signatures)


def found(services: Settings, text: str, encoder: Description = ENCODER) -> list[Embedding]:
    return list(near(services).seek(encoder, {digest(text): text}).found.values())


def test_a_story_with_a_new_dateline_takes_the_earlier_embedding(services: Settings) -> None:
    encoded(services, story(1))
    [embedding] = found(services, f"LONDON {story(1)}")
    assert embedding.vector.tobytes() == EMBEDDING.vector.tobytes()


def test_a_story_that_is_half_another_is_not_near(services: Settings) -> None:
    encoded(services, story(2))
    half = " ".join(story(2).split()[:60] + story(3).split()[:60])
    assert found(services, half) == []


def test_a_text_is_not_near_itself(services: Settings) -> None:
    encoded(services, story(4))
    assert found(services, story(4)) == []


def test_another_encoder_finds_nothing(services: Settings) -> None:
    encoded(services, story(5))
    other = Description("tiny+0000", "b" * 32, 4, ["en"], "openvino", "bf16")
    assert found(services, f"LONDON {story(5)}", other) == []


def test_an_encoder_that_was_not_measured_finds_nothing(services: Settings) -> None:
    encoded(services, story(6))
    unmeasured = Description("other+0000", ENCODER.fingerprint, 4, ["en"], "openvino", "bf16")
    sought = near(services).seek(unmeasured, {"0" * 32: f"LONDON {story(6)}"})
    assert (sought.bound, sought.found, sought.signatures) == (None, {}, {})


def test_switched_off_it_finds_and_keeps_nothing(services: Settings) -> None:
    encoded(services, story(7))
    sought = near(services, switched_on=False).seek(ENCODER, {"0" * 32: f"LONDON {story(7)}"})
    assert (sought.bound, sought.found, sought.signatures) == (None, {}, {})


def test_a_killed_text_leaves_no_key_even_where_it_is_switched_off(services: Settings) -> None:
    server = redis.Redis.from_url(services.cache)
    before = set(server.keys("wire:near*"))
    encoded(services, story(8))
    assert len(set(server.keys("wire:near*")) - before) == 5
    assert near(services, switched_on=False).forget([ENCODER.fingerprint], [digest(story(8))])
    assert set(server.keys("wire:near*")) == before
    assert found(services, f"LONDON {story(8)}") == []


def test_a_killed_text_leaves_the_bands_that_a_later_one_took_over(services: Settings) -> None:
    earlier, later = story(15), f"{story(15)} and more"
    encoded(services, earlier)
    encoded(services, later)
    assert near(services).forget([ENCODER.fingerprint], [digest(earlier)])
    assert len(found(services, f"LONDON {later}")) == 1


def test_an_embedding_that_is_gone_makes_its_near_texts_a_miss(services: Settings) -> None:
    encoded(services, story(9))
    server = redis.Redis.from_url(services.cache)
    server.delete(names.embedding_key(ENCODER.fingerprint, digest(story(9))))
    assert found(services, f"LONDON {story(9)}") == []


def test_junk_in_the_cache_is_a_miss(services: Settings) -> None:
    encoded(services, story(10))
    server = redis.Redis.from_url(services.cache)
    signature = names.near_signature_key(ENCODER.fingerprint, digest(story(10)))
    server.set(signature, b"x" * 400)
    assert found(services, f"LONDON {story(10)}") == []
    for key in server.scan_iter("wire:near-band:*"):
        server.set(key, b"y" * 24)
    encoded(services, story(11))
    assert len(found(services, f"LONDON {story(11)}")) == 1


def test_the_signature_of_another_text_is_a_miss(services: Settings) -> None:
    encoded(services, story(12), story(13))
    server = redis.Redis.from_url(services.cache)
    one, other = (names.near_signature_key(ENCODER.fingerprint, digest(story(n))) for n in (12, 13))
    server.copy(one, other, replace=True)
    assert found(services, f"LONDON {story(13)}") == []


def test_without_a_server_everything_is_a_miss_and_forgetting_is_not_confirmed() -> None:
    nowhere = NearCache(CacheServer("redis://127.0.0.1:1/0", TIMEOUT_MS), BOUNDS.get)
    sought = nowhere.seek(ENCODER, {"0" * 32: story(14)})
    assert sought.found == {}
    nowhere.put(ENCODER.fingerprint, sought.signatures)
    assert nowhere.forget([ENCODER.fingerprint], ["0" * 32]) is False
