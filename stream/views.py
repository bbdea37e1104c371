"""What the pipeline asks of the parts it stands on; plain dictionaries serve in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ml.messages import Article, Subject
from stream.embedding_cache import Embedding, EmbeddingOrigin
from stream.engine_wire import Description
from stream.ledger import Entry
from stream.near import Shingles
from stream.near_cache import Sought


class LedgerView(Protocol):
    """What the pipeline asks of a ledger; a dictionary serves in tests."""

    def entries(self, partitions: set[int], uris: list[str]) -> dict[str, Entry]: ...

    def promise(self, entries: dict[str, Entry]) -> None: ...


class CacheView(Protocol):
    """What the pipeline asks of the embedding cache."""

    def get_many(
        self, fingerprint: str, digests: Sequence[str], width: int
    ) -> dict[str, Embedding]: ...

    def put_many(self, fingerprint: str, embeddings: dict[str, Embedding]) -> None: ...

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool: ...


class NearView(Protocol):
    """What the pipeline asks of the texts nearly the same."""

    def seek(self, encoder: Description, texts: Mapping[str, str]) -> Sought: ...

    def put(self, fingerprint: str, signatures: Mapping[str, Shingles]) -> None: ...

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool: ...


class EngineView(Protocol):
    """What the pipeline asks of the engine."""

    def embed(self, encoder: str, texts: Sequence[str]) -> list[Embedding]: ...


class ServingView(Protocol):
    """What the pipeline asks of the deployed classifiers."""

    def encoders(self) -> dict[str, Description]: ...

    def encoders_for(self, article: Article, text: str) -> list[str]: ...

    def subjects(
        self,
        articles: list[tuple[Article, str]],
        embeddings: dict[str, list[Embedding | None]],
        origins: dict[str, list[EmbeddingOrigin]],
    ) -> list[list[Subject]]: ...
