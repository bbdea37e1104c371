"""What has become of each uri: last version, revision, text digest, killed or not.

The truth is the results topic; this is its projection in the tasks server, so that a batch is
judged by one MGET. Beside the entries stands, for each partition, the result offset up to which
they are written. Whoever judges compares it with what he knows: when it lies behind (a new owner
after a crash, a server that lost its last second) the gap is read from the results topic first.

1. `judge` decides a batch's articles, in their order, before anything is sent.
2. The agent sends the results and commits.
3. `record` writes the entries and the position, in one script that refuses to go back, so that an
   agent that was frozen and has lost its partitions cannot overwrite its successor.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

import msgspec
import redis
from confluent_kafka import Message

from infra import names
from infra.settings import Settings
from ml.messages import Article, Classification, Supersedes, Version, decode_classification
from stream import kafka

log = logging.getLogger(__name__)

REMEMBERED = 16
"""Older versions of a uri that are still told apart as duplicates."""

CATCH_UP_AT_ONCE = 5_000
WAIT_S = (0.1, 2.0)  # first and longest pause between two tries of the server

Kind = Literal["first", "revision", "duplicate", "kill"]


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """One version of a uri that has a result."""

    version: Version
    revision: int
    digest: str


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The newest version of a uri, the ones before it, and whether the uri was killed.

    `created` is seconds since 1970, None where the article had no date. `degraded`: a standby gave
    the newest version's result.
    """

    latest: Seen | None
    created: float | None = None
    older: tuple[Seen, ...] = ()
    killed: bool = False
    degraded: bool = False


@dataclass(frozen=True)
class Judgement:
    """What an article is, and the entry that stands once its result is out."""

    kind: Kind
    entry: Entry
    version: Version = 1
    revision: int = 1
    supersedes: Supersedes | None = None
    stale: bool = False


def judge(entry: Entry | None, article: Article, digest: str) -> Judgement:
    """Decide what `article`, whose text has `digest`, is to a uri with `entry`."""
    if entry is not None and entry.killed:
        return Judgement("kill", entry)
    created = article.created.timestamp() if article.created else None
    if entry is None or entry.latest is None:
        seen = Seen(1 if article.version is None else article.version, 1, digest)
        return Judgement("first", Entry(seen, created), seen.version)
    latest = entry.latest
    if article.version is None:
        if digest == latest.digest:
            return Judgement("duplicate", entry)
        version: Version = _after(entry)
        known = None
    else:
        version = article.version
        everything = (latest, *entry.older)
        known = next((seen for seen in everything if _same(seen.version, version)), None)
    if known is not None:
        if known.digest == digest:
            return Judgement("duplicate", entry)
        seen = Seen(known.version, known.revision + 1, digest)
    else:
        seen = Seen(version, 1, digest)
    if known is latest or (known is None and _is_newer(entry, created, article.version)):
        older = entry.older if known is latest else (latest, *entry.older)[:REMEMBERED]
        replaced = Supersedes(latest.version, latest.revision)
        kept = created if created is not None else entry.created
        new = Entry(seen, kept, older)
        return Judgement("revision", new, seen.version, seen.revision, replaced)
    older = (seen, *(s for s in entry.older if s is not known))[:REMEMBERED]
    new = msgspec.structs.replace(entry, older=older)
    return Judgement("revision", new, seen.version, seen.revision, stale=True)


def judge_again(entry: Entry | None, article: Article, digest: str) -> Judgement:
    """Decide an article that is published again because its result was degraded.

    The next revision where that is still the newest of its uri, else a duplicate.
    """
    latest = entry.latest if entry is not None else None
    if entry is None or latest is None or entry.killed or not entry.degraded:
        return Judgement("duplicate", entry or Entry(None))
    named = article.version
    if latest.digest != digest or (named is not None and not _same(named, latest.version)):
        return Judgement("duplicate", entry)
    seen = Seen(latest.version, latest.revision + 1, digest)
    new = Entry(seen, entry.created, entry.older)
    replaced = Supersedes(latest.version, latest.revision)
    return Judgement("revision", new, seen.version, seen.revision, replaced)


def degraded(entry: Entry, judgement: Judgement) -> Entry:
    """Return the entry where a standby answered what was judged so: marked, if it is the newest."""
    latest = entry.latest
    if latest is None:
        return entry
    is_newest = (latest.version, latest.revision) == (judgement.version, judgement.revision)
    return msgspec.structs.replace(entry, degraded=True) if is_newest else entry


def killed(entry: Entry | None) -> Judgement:
    """Decide a kill: the uri is dead from now on; the digests stay known, to be purged."""
    if entry is None:
        return Judgement("kill", Entry(None, killed=True))
    return Judgement("kill", msgspec.structs.replace(entry, killed=True))


def after_result(entry: Entry | None, result: Classification, created: float | None) -> Entry:
    """Return the entry once `result`, read back from the results topic, is counted in."""
    seen = Seen(result.version, result.revision, result.digest)
    if entry is None or entry.latest is None:
        return Entry(seen, created, degraded=result.degraded)
    everything = (entry.latest, *entry.older)
    others = tuple(s for s in everything if not _same(s.version, seen.version))
    if result.stale:
        older = (seen, *(s for s in others if s is not entry.latest))
        return msgspec.structs.replace(entry, older=older[:REMEMBERED])
    kept = created if created is not None else entry.created
    return Entry(seen, kept, others[:REMEMBERED], entry.killed, result.degraded)


def _after(entry: Entry) -> Version:
    """Return the next version of a feed that numbers none: the order of arrival."""
    numbers = [_number(seen.version) for seen in (entry.latest, *entry.older) if seen]
    return int(max(numbers)) + 1


def _same(one: Version, other: Version) -> bool:
    return str(one) == str(other)


def _number(version: Version) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0


def _is_newer(entry: Entry, created: float | None, version: Version | None) -> bool:
    """Compare with the latest version: by creation, then number, then arrival."""
    if created is not None and entry.created is not None and created != entry.created:
        return created > entry.created
    if version is None or entry.latest is None:
        return True
    return _number(version) >= _number(entry.latest.version)


_entry_encoder = msgspec.msgpack.Encoder()
_entry_decoder = msgspec.msgpack.Decoder(Entry)

# KEYS: position, entry...; ARGV: new position, time to live, value...
_RECORD = """
local now = tonumber(redis.call('GET', KEYS[1]) or '-1')
if now > tonumber(ARGV[1]) then return 0 end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'EX', ARGV[2]) end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class Ledger:
    """The ledger of the partitions that one agent holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prefix = settings.topic_prefix
        self._client = redis.Redis.from_url(
            settings.tasks, socket_timeout=5.0, socket_connect_timeout=2.0
        )
        self._record = self._client.register_script(_RECORD)
        self._positions: dict[int, int] = {}
        self._pending: dict[str, Entry] = {}
        self._lock = threading.Lock()  # one batch is recorded while the next is judged

    def forget_positions(self) -> None:
        """Start anew after a rebalance: what was known of the partitions may be old."""
        self._positions.clear()
        self._pending.clear()

    def entries(self, partitions: Iterable[int], uris: Sequence[str]) -> dict[str, Entry]:
        """Return what is known of `uris`, all of whose results lie in `partitions`.

        Reads the results topic first where the server's entries lie behind it; waits for a server
        that is away: to guess would be to double or lose a result.
        """
        wanted = sorted(partitions)
        keys = [names.ledger_position_key(self._prefix, p) for p in wanted]
        keys += [names.ledger_key(self._prefix, uri) for uri in uris]
        with self._lock:
            values = self._read(wanted, keys)
            known = {uri: self._pending[uri] for uri in uris if uri in self._pending}
        found = {
            uri: _entry_decoder.decode(value)
            for uri, value in zip(uris, values[len(wanted) :], strict=True)
            if value is not None
        }
        return found | known

    def _read(self, partitions: list[int], keys: list[str]) -> list[bytes | None]:
        """Return the values of `keys`, which begin with the positions of `partitions`."""
        while True:
            values = cast("list[bytes | None]", self._patiently(lambda: self._client.mget(keys)))
            behind = {}
            for partition, value in zip(partitions, values, strict=False):
                position = None if value is None else int(value)
                if position is None or position != self._positions.get(partition):
                    behind[partition] = position
            if not behind:
                return values
            self._catch_up(behind)

    def promise(self, entries: Mapping[str, Entry]) -> None:
        """Remember entries of a batch on its way, for the batches that are judged meanwhile."""
        with self._lock:
            self._pending.update(entries)

    def record(self, partition: int, position: int, entries: Mapping[str, Entry]) -> None:
        """Write a committed batch's entries; `position` is the offset after its last result."""
        with self._lock:
            self._write(partition, position, entries)
            self._positions[partition] = position
            for uri, entry in entries.items():
                if self._pending.get(uri) is entry:
                    del self._pending[uri]

    def _write(self, partition: int, position: int, entries: Mapping[str, Entry]) -> None:
        keys = [names.ledger_position_key(self._prefix, partition)]
        keys += [names.ledger_key(self._prefix, uri) for uri in entries]
        values = [_entry_encoder.encode(entry) for entry in entries.values()]
        arguments: list[int | bytes] = [position, names.LEDGER_TTL_S, *values]
        self._patiently(lambda: self._record(keys=keys, args=arguments))

    def _catch_up(self, behind: Mapping[int, int | None]) -> None:
        """Count in the results after each partition's position, a predecessor's last included."""
        topic = self._settings.topic(names.CLASSIFICATIONS.name)
        kafka.wait_until_settled(self._settings, topic, behind)
        start = {p: position or 0 for p, position in behind.items()}
        ends: dict[int, int] = dict(start)
        batch: list[Message] = []
        for message in kafka.read_to_end(self._settings, topic, start=start):
            batch.append(message)
            if len(batch) >= CATCH_UP_AT_ONCE:
                self._count_in(batch, ends)
                batch = []
        self._count_in(batch, ends)
        for p, end in ends.items():
            self._write(p, end, {})
            self._positions[p] = end
        log.info("ledger caught up: %s", {p: (start[p], ends[p]) for p in sorted(ends)})

    def _count_in(self, messages: list[Message], ends: dict[int, int]) -> None:
        uris = list({(m.key() or b"").decode("utf-8", "replace") for m in messages})
        keys = [names.ledger_key(self._prefix, uri) for uri in uris]
        values = cast(
            "list[bytes | None]",
            self._patiently(lambda: self._client.mget(keys)) if keys else [],
        )
        known = {
            uri: _entry_decoder.decode(value)
            for uri, value in zip(uris, values, strict=True)
            if value is not None
        }
        written: dict[int, dict[str, Entry]] = {}
        for message in messages:
            uri = (message.key() or b"").decode("utf-8", "replace")
            value = message.value()
            if value is None:
                entry = killed(known.get(uri)).entry
            else:
                created = kafka.header(message, names.CREATED_HEADER)
                moment = datetime.fromisoformat(created) if created else None
                entry = after_result(
                    known.get(uri),
                    decode_classification(value),
                    moment.astimezone(UTC).timestamp() if moment else None,
                )
            known[uri] = entry
            partition = message.partition() or 0
            written.setdefault(partition, {})[uri] = entry
            ends[partition] = (message.offset() or 0) + 1
        for partition, entries in written.items():
            self._write(partition, ends[partition], entries)

    def _patiently(self, call: Callable[[], object]) -> object:
        """Call until the server answers; the backlog waits in Kafka meanwhile."""
        pause = WAIT_S[0]
        while True:
            try:
                return call()
            except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError) as error:
                log.warning("the tasks server does not answer, trying again: %s", error)
                time.sleep(pause)
                pause = min(2 * pause, WAIT_S[1])
