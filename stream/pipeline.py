"""From raw records to results: a batch in, what must be sent out.

Plain values in and out: no Faust, no Kafka client. The one place that decides what becomes of an
article. The steps of `classify_batch`:

1. decode: what is no article becomes a dead letter, with its reason.
2. judge by the ledger: new, revision, duplicate, kill, held.
3. look the embeddings up in the cache, have the engine encode what is missing.
4. score with every deployed classifier.
5. write the results and the partition's account.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from infra import metrics, names
from ml import text as texts
from ml.messages import (
    Article,
    Classification,
    InvalidArticle,
    Origin,
    Subject,
    decode_article,
    timestamp,
)
from stream import ledger
from stream.account import Account, Outcome, count
from stream.embedding_cache import Embedding, EmbeddingOrigin
from stream.engine_client import PoisonousTexts
from stream.ledger import Entry, Judgement
from stream.near_cache import Sought
from stream.outputs import Output, Outputs, Record
from stream.views import CacheView, EngineView, LedgerView, NearView, ServingView


@dataclass(frozen=True)
class Batch:
    """What a batch comes to: messages to send, and by partition what they change."""

    outputs: list[Output]
    entries: dict[int, dict[str, Entry]]
    accounts: dict[int, Account]
    next_offsets: dict[int, int]
    embeddings: dict[EmbeddingOrigin, int]  # used in this batch
    seconds: dict[str, float]  # by stage


@dataclass(frozen=True)
class _Item:
    """An article that gets a result."""

    record: Record
    article: Article
    text: str
    digest: str
    judgement: Judgement


class Pipeline:
    """Classifies batches; for one thread."""

    def __init__(
        self,
        ledger_: LedgerView,
        cache: CacheView,
        engine: EngineView,
        serving: ServingView,
        near: NearView,
        topic_prefix: str = "",
    ) -> None:
        self._ledger = ledger_
        self._cache = cache
        self._engine = engine
        self._serving = serving
        self._near = near
        self._outputs = Outputs(topic_prefix)

    def classify_batch(self, records: Sequence[Record]) -> Batch:
        """Return what must be sent for `records`, which are in order within each partition.

        An article whose text the engine dies on becomes a dead letter. Raises
        engine_client.EngineRefused where a deployed encoder cannot be had.
        """
        poisonous: set[str] = set()
        while True:
            try:
                return self._classify(records, poisonous)
            except PoisonousTexts as error:
                poisonous |= error.digests  # those beside them are remembered: little is repeated

    def _classify(self, records: Sequence[Record], poisonous: set[str]) -> Batch:
        clock = _Clock()
        outputs: dict[int, Output] = {}  # by the record's place in the batch, to keep the order
        outcomes: list[Outcome] = []
        decoded = [self._decode(record, poisonous) for record in records]
        clock.lap("decode")
        known = self._known(records, decoded)
        clock.lap("ledger")
        changed: dict[int, dict[str, Entry]] = {}
        items: list[tuple[int, _Item]] = []
        purged: set[str] = set()
        for place, (record, found) in enumerate(zip(records, decoded, strict=True)):
            if isinstance(found, InvalidArticle):
                outputs[place] = self._outputs.dead_letter(record, found)
                outcomes.append("deadletter")
                continue
            article, text, digest = found
            if _is_held(article):
                outputs[place] = self._outputs.held(record, article)
                outcomes.append("held")
                continue
            entry = known.get(article.uri)
            if article.canceled:
                judgement = ledger.killed(entry)
            elif (names.REASON_HEADER, names.RESCORE.encode()) in record.headers:
                judgement = ledger.judge_again(entry, article, digest)
            else:
                judgement = ledger.judge(entry, article, digest)
            outcomes.append(judgement.kind)
            if judgement.kind == "duplicate":
                continue
            known[article.uri] = judgement.entry
            changed.setdefault(record.partition, {})[article.uri] = judgement.entry
            if judgement.kind == "kill":
                outputs[place] = self._outputs.tombstone(
                    record, article.uri, timestamp(datetime.now(UTC))
                )
                purged |= _digests(judgement.entry)
            else:
                items.append((place, _Item(record, article, text, digest, judgement)))
        used: dict[EmbeddingOrigin, int] = {}
        results = self._results(items, clock, used)
        for (place, item), (output, is_degraded) in zip(items, results, strict=True):
            outputs[place] = output
            if is_degraded:
                entries, uri = changed[item.record.partition], item.article.uri
                entries[uri] = ledger.degraded(entries[uri], item.judgement)
        if purged:
            self._purge(purged)
        for entries in changed.values():
            self._ledger.promise(entries)
        return Batch(
            outputs=[outputs[place] for place in sorted(outputs)],
            entries=changed,
            accounts=_accounts(records, outcomes),
            next_offsets={record.partition: record.offset + 1 for record in records},
            embeddings=used,
            seconds=clock.laps,
        )

    def _decode(
        self, record: Record, poisonous: set[str]
    ) -> tuple[Article, str, str] | InvalidArticle:
        try:
            key = record.key.decode() if record.key is not None else None
            if record.value is None:
                if not key:
                    raise InvalidArticle("a kill (null value) needs the article's uri as its key")
                return Article(uri=key, canceled=True), "", ""
            article = decode_article(record.value)
        except UnicodeDecodeError:
            return InvalidArticle("the key is not UTF-8; it must be the article's uri")
        except InvalidArticle as error:
            return error
        if key is not None and key != article.uri:
            return InvalidArticle(
                f"the key is {key[:60]!a}, the uri {article.uri[:60]!a}: they must be "
                "the same, for the order of a uri is that of its partition"
            )
        text = article.text
        digest = texts.digest(text)
        if digest in poisonous:
            return InvalidArticle("the encoder died of this text, and again when it read it alone")
        return article, text, digest

    def _known(
        self,
        records: Sequence[Record],
        decoded: Sequence[tuple[Article, str, str] | InvalidArticle],
    ) -> dict[str, Entry]:
        partitions: set[int] = set()
        uris: dict[str, None] = {}
        for record, found in zip(records, decoded, strict=True):
            if not isinstance(found, InvalidArticle):
                partitions.add(record.partition)
                uris[found[0].uri] = None
        return self._ledger.entries(partitions, list(uris)) if uris else {}

    def _results(
        self, items: list[tuple[int, _Item]], clock: _Clock, used: dict[EmbeddingOrigin, int]
    ) -> list[tuple[Output, bool]]:
        """Return the result of each item, and whether it is degraded."""
        if not items:
            return []
        articles = [(item.article, item.text) for _, item in items]
        embeddings: dict[str, list[Embedding | None]] = {}
        origins: dict[str, list[EmbeddingOrigin]] = {}
        for encoder, description in self._serving.encoders().items():
            wanted = [
                item.digest
                if encoder in self._serving.encoders_for(item.article, item.text)
                else None
                for _, item in items
            ]
            text_of = {
                digest: item.text
                for digest, (_, item) in zip(wanted, items, strict=True)
                if digest is not None
            }
            # Where a standby describes itself, nobody knows which vectors are the encoder's own.
            is_there = description.encoder == encoder
            sought_in_cache = list(text_of) if is_there else []
            hits = self._cache.get_many(description.fingerprint, sought_in_cache, description.width)
            absent = {digest: text for digest, text in text_of.items() if digest not in hits}
            sought = self._near.seek(description, absent if is_there else {})
            near = self._sure(encoder, sought, items, wanted)
            clock.lap("cache")
            missing = [digest for digest in absent if digest not in near]
            vectors = self._engine.embed(encoder, [text_of[digest] for digest in missing])
            clock.lap("encode")
            fresh = dict(zip(missing, vectors, strict=True))
            kept = {d: e for d, e in fresh.items() if is_there and e.standby is None}
            self._cache.put_many(description.fingerprint, kept)
            self._near.put(
                description.fingerprint,
                {d: signature for d, signature in sought.signatures.items() if d in kept},
            )
            clock.lap("cache")
            found = hits | near | fresh
            embeddings[encoder] = [found[d] if d is not None else None for d in wanted]
            origins[encoder] = _origins(wanted, fresh, near)
            for digest, origin in zip(wanted, origins[encoder], strict=True):
                if digest is not None:
                    used[origin] = used.get(origin, 0) + 1
        answered = self._serving.subjects(articles, embeddings, origins)
        clock.lap("score")
        results = [
            self._result(item, subjects, {e: row[n] for e, row in embeddings.items()})
            for n, ((_, item), subjects) in enumerate(zip(items, answered, strict=True))
        ]
        clock.lap("write")
        return results

    def _sure(
        self,
        encoder: str,
        sought: Sought,
        items: list[tuple[int, _Item]],
        wanted: Sequence[str | None],
    ) -> dict[str, Embedding]:
        """Return the near embeddings that the bound allows: those of which the heads are sure."""
        rows = [
            (digest, item)
            for digest, (_, item) in zip(wanted, items, strict=True)
            if digest in sought.found
        ]
        if not rows or sought.bound is None:
            return {}
        answered = self._serving.subjects(
            [(item.article, item.text) for _, item in rows],
            {encoder: [sought.found[digest] for digest, _ in rows]},
            {encoder: ["near"] * len(rows)},
        )
        unsure = {
            digest
            for (digest, _), subjects in zip(rows, answered, strict=True)
            if not sought.bound.allows(subjects)
        }
        return {digest: e for digest, e in sought.found.items() if digest not in unsure}

    def _result(
        self, item: _Item, subjects: list[Subject], read: Mapping[str, Embedding | None]
    ) -> tuple[Output, bool]:
        """Return an item's result, and whether it is degraded; `read` are its embeddings."""
        article, judgement = item.article, item.judgement
        standbys = {encoder: e.standby for encoder, e in read.items() if e and e.standby}
        if standbys:
            metrics.DEGRADED.inc()
            subjects = [_naming(subject, standbys) for subject in subjects]
        result = Classification(
            uri=article.uri,
            version=judgement.version,
            revision=judgement.revision,
            digest=item.digest,
            language=article.language,
            source=article.source,
            published_at=timestamp(article.published_at) if article.published_at else None,
            classified_at=timestamp(datetime.now(UTC)),
            origin=Origin(item.record.partition, item.record.offset),
            subjects=subjects,
            truncated=any(embedding.truncated for embedding in read.values() if embedding),
            degraded=bool(standbys),
            stale=judgement.stale,
            supersedes=judgement.supersedes,
        )
        return self._outputs.result(item.record, article, result), result.degraded

    def _purge(self, digests: set[str]) -> None:
        fingerprints = [d.absent or d.fingerprint for d in self._serving.encoders().values()]
        # In this order: a near text found in between finds no embedding, which makes it a miss.
        self._cache.forget(fingerprints, sorted(digests))
        self._near.forget(fingerprints, sorted(digests))


class _Clock:
    """Seconds spent in each stage of a batch."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = self.laps.get(stage, 0.0) + now - self._last
        self._last = now


def _is_held(article: Article) -> bool:
    """Tell whether an article may not be answered yet: withheld, or under embargo."""
    if article.canceled:
        return False
    until = article.embargoed_until
    return article.withheld or (until is not None and until > datetime.now(UTC))


def _digests(entry: Entry) -> set[str]:
    return {seen.digest for seen in (entry.latest, *entry.older) if seen is not None}


def _origins(
    wanted: Sequence[str | None], fresh: Collection[str], near: Container[str]
) -> list[EmbeddingOrigin]:
    """Return where each article's vector came from; what was encoded just before is a hit."""
    unpaid = set(fresh)
    origins: list[EmbeddingOrigin] = []
    for digest in wanted:
        if digest is None or digest in unpaid:
            origins.append("miss")
        else:
            origins.append("near" if digest in near else "hit")
        unpaid.discard(digest or "")
    return origins


def _naming(subject: Subject, standbys: Mapping[str, str]) -> Subject:
    """Return a subject that names the standby whose embedding it was scored on."""
    standby = standbys.get(subject.encoder or "")
    if standby is None or subject.embedding is None:
        return subject
    return msgspec.structs.replace(subject, encoder=standby)


def _accounts(records: Sequence[Record], outcomes: Sequence[Outcome]) -> dict[int, Account]:
    by_partition: dict[int, list[Outcome]] = {}
    for record, outcome in zip(records, outcomes, strict=True):
        by_partition.setdefault(record.partition, []).append(outcome)
        metrics.OUTCOMES.labels(outcome).inc()
    return {partition: count(several) for partition, several in by_partition.items()}
