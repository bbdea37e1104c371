"""What can be done to the cache over its own address: fill it with junk, or fill it up."""

from __future__ import annotations

import os

import redis

AT_ONCE = 500
JUNK_BYTES = 777  # as long as what is kept of a text (8 + 1 + 2 x 384): only its content is wrong
FULL = "1mb"  # less than the server needs for itself: every write is refused


def junk(address: str) -> int:
    """Overwrite every value with random bytes; return how many a full server did not refuse."""
    server = redis.Redis.from_url(address)
    keys = list(server.scan_iter(count=AT_ONCE))
    taken = 0
    for first in range(0, len(keys), AT_ONCE):
        pipe = server.pipeline(transaction=False)
        for key in keys[first : first + AT_ONCE]:
            pipe.set(key, os.urandom(JUNK_BYTES), keepttl=True)
        taken += sum(answer is True for answer in pipe.execute(raise_on_error=False))
    server.close()
    return taken


def full(address: str) -> None:
    """Leave the server no memory and forbid it to evict, until it is started again."""
    server = redis.Redis.from_url(address)
    server.config_set("maxmemory-policy", "noeviction")
    server.config_set("maxmemory", FULL)
    server.close()
