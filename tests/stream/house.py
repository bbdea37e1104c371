"""A pipeline on plain dictionaries: its ledger, cache, engine and classifier without a server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from ml.messages import Article, Subject
from ml.text import digest
from stream.embedding_cache import Embedding, EmbeddingOrigin
from stream.engine_client import PoisonousTexts
from stream.engine_wire import Description
from stream.ledger import Entry
from stream.near import Shingles, shingles
from stream.near_bounds import Bound
from stream.near_cache import Sought
from stream.outputs import Record
from stream.pipeline import Batch, Pipeline

ENCODER = "tiny+0000"


class DictLedger:
    """A ledger that is a dictionary: what `promise` says is what `entries` knows."""

    def __init__(self) -> None:
        self.known: dict[str, Entry] = {}

    def entries(self, partitions: set[int], uris: list[str]) -> dict[str, Entry]:
        return {uri: self.known[uri] for uri in uris if uri in self.known}

    def promise(self, entries: dict[str, Entry]) -> None:
        self.known.update(entries)


class DictCache:
    def __init__(self) -> None:
        self.kept: dict[str, Embedding] = {}
        self.forgotten: list[str] = []

    def get_many(
        self, fingerprint: str, digests: Sequence[str], width: int
    ) -> dict[str, Embedding]:
        return {d: self.kept[d] for d in digests if d in self.kept}

    def put_many(self, fingerprint: str, embeddings: dict[str, Embedding]) -> None:
        self.kept.update(embeddings)

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool:
        self.forgotten += digests
        return True


class DictNear:
    """Texts nearly the same as others, as they were told: the digest of each by that of the later."""

    def __init__(self, cache: DictCache) -> None:
        self.cache = cache
        self.alike: dict[str, str] = {}
        self.kept: set[str] = set()
        self.forgotten: list[str] = []

    def seek(self, encoder: Description, texts: Mapping[str, str]) -> Sought:
        earlier = {d: self.alike[d] for d in texts if self.alike.get(d) in self.kept}
        found = {d: self.cache.kept[e] for d, e in earlier.items()}
        signatures = {d: shingles(text, 256) for d, text in texts.items()}
        return Sought(Bound(256, 0.8, confidence=0.9), found, signatures)

    def put(self, fingerprint: str, signatures: Mapping[str, Shingles]) -> None:
        self.kept.update(signatures)

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool:
        self.forgotten += digests
        self.kept.difference_update(digests)
        return True


class CountingEngine:
    """An engine whose vector is a digest of the text; it counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.poison: set[str] = set()  # digests

    def embed(self, encoder: str, texts: Sequence[str]) -> list[Embedding]:
        self.asked += texts
        if bad := self.poison & {digest(text) for text in texts}:
            raise PoisonousTexts(bad)
        return [Embedding(_vector(text), len(text) > 100) for text in texts]


class FixedServing:
    """One classifier, `topic`: earn for every English text."""

    confidence = 0.9

    def encoders(self) -> dict[str, Description]:
        return {ENCODER: Description(ENCODER, "f" * 32, 4, ["en"], "none", "f32")}

    def encoders_for(self, article: Article, text: str) -> list[str]:
        return [ENCODER] if text and article.language in (None, "en") else []

    def subjects(
        self,
        articles: list[tuple[Article, str]],
        embeddings: dict[str, list[Embedding | None]],
        origins: dict[str, list[EmbeddingOrigin]],
    ) -> list[list[Subject]]:
        return [
            [
                Subject(
                    classifier="topic",
                    label="earn" if embeddings[ENCODER][n] else None,
                    confidence=self.confidence if embeddings[ENCODER][n] else 0.0,
                    decision="accept" if embeddings[ENCODER][n] else "abstain",
                    model="topic@1+0000",
                    encoder=ENCODER,
                    embedding=origins[ENCODER][n] if embeddings[ENCODER][n] else None,
                )
            ]
            for n in range(len(articles))
        ]


def _vector(text: str) -> np.ndarray:
    return np.frombuffer(hashlib.sha256(text.encode()).digest()[:4], np.uint8).astype(np.float16)


class House:
    """A pipeline and the parts it stands on; offsets count up by themselves."""

    def __init__(self) -> None:
        self.ledger, self.cache, self.engine = DictLedger(), DictCache(), CountingEngine()
        self.near, self.serving = DictNear(self.cache), FixedServing()
        self.pipeline = Pipeline(self.ledger, self.cache, self.engine, self.serving, self.near)
        self.offset = 0

    def batch(self, *values: dict[str, object] | bytes | None, key: bytes | None = None) -> Batch:
        records = []
        for value in values:
            raw = json.dumps(value).encode() if isinstance(value, dict) else value
            uri = str(value["uri"]).encode() if isinstance(value, dict) and "uri" in value else key
            records.append(Record(3, self.offset, uri if key is None else key, raw))
            self.offset += 1
        return self.pipeline.classify_batch(records)
