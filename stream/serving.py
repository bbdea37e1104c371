"""The classifiers that answer: heads of the deployed model versions, loaded and checked."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from ml.answers import Answer
from ml.artifact import ArtifactError, model_path
from ml.head import Head
from ml.messages import Article, Subject
from ml.panel import Panel
from stream.embedding_cache import Embedding, EmbeddingOrigin
from stream.engine_client import EngineClient, EngineRefused
from stream.engine_wire import Description
from stream.rollout import Rollout

log = logging.getLogger(__name__)


class Serving:
    """What one agent answers with; changed between two batches, never within one."""

    def __init__(self, home: Path, engine: EngineClient, rollout: Rollout) -> None:
        self._home = home
        self._engine = engine
        self._rollout = rollout
        self._champions: dict[str, str] = {}
        self._heads: dict[str, Head] = {}
        self._next: dict[str, Head] = {}  # checked, their encoders not loaded yet
        self._spoken: tuple[object, dict[str, frozenset[str]]] = (None, {})
        self._panels: tuple[object, dict[str, tuple[list[str], Panel]]] = (None, {})
        self.failures: dict[str, str] = {}

    def apply(self, champions: Mapping[str, str]) -> None:
        """Serve these model versions, by classifier.

        A version whose encoder is new is served once the engine has loaded it: until then the
        version before goes on, and `go_on` must be called. Only where nothing is served yet this
        waits. A version that cannot be loaded, or whose encoder the engine refuses, is reported in
        `failures`, and the version that served before goes on.
        """
        self._champions = dict(champions)
        self._next = {}
        self.failures = {}
        self._heads = {name: head for name, head in self._heads.items() if name in champions}
        for classifier, model in champions.items():
            serving = self._heads.get(classifier)
            if serving is not None and serving.manifest.name == model:
                continue
            try:
                self._next[classifier] = Head.load(model_path(self._home, model))
            except ArtifactError as error:
                self._fail(classifier, error)
        self._rollout.begin({head.manifest.encoder for head in self._next.values()})
        waits = not self._heads
        for classifier in list(self._next):
            self._swap(classifier, waits)

    def go_on(self) -> None:
        """Serve the versions whose encoders have been loaded meanwhile; keep those in use loaded.

        Never waits; call it between two batches, and now and then where none comes.
        """
        if self._rollout.has_news():
            for classifier in list(self._next):
                self._swap(classifier, waits=False)
        self._rollout.keep({head.manifest.encoder for head in self._heads.values()})

    def _swap(self, classifier: str, waits: bool) -> None:
        """Let the next version take over where its encoder is loaded; `waits` until it is."""
        head = self._next[classifier]
        encoder = head.manifest.encoder
        try:
            if waits:
                self._engine.describe(encoder)
            elif not self._serves(encoder) and not self._rollout.ready(encoder):
                return
        except EngineRefused as error:
            self._fail(classifier, error)
        else:
            heads = {**self._heads, classifier: head}
            self._heads = {name: heads[name] for name in self._champions if name in heads}
        del self._next[classifier]

    def _serves(self, encoder: str) -> bool:
        return any(head.manifest.encoder == encoder for head in self._heads.values())

    def _fail(self, classifier: str, error: Exception) -> None:
        model = self._champions[classifier]
        log.error("%s cannot be served: %s", model, error)
        self.failures[classifier] = f"{model}: {error}"

    @property
    def models(self) -> dict[str, str]:
        """The model versions that answer, by classifier."""
        return {name: head.manifest.name for name, head in self._heads.items()}

    def encoders(self) -> dict[str, Description]:
        """Return the encoders in use, by id; raises EngineRefused."""
        ids = {head.manifest.encoder for head in self._heads.values()}
        return {encoder: self._engine.describe(encoder) for encoder in sorted(ids)}

    def encoders_for(self, article: Article, text: str) -> list[str]:
        """Return the encoders that must read this article; none where every answer abstains."""
        return [
            encoder
            for encoder, languages in self._languages().items()
            if reads(languages, article, text)
        ]

    def _languages(self) -> dict[str, frozenset[str]]:
        """Return, by encoder, the languages that any of its heads answers; as long as heads stay."""
        if self._spoken[0] is not self._heads:
            spoken: dict[str, frozenset[str]] = {}
            for head in self._heads.values():
                encoder = head.manifest.encoder
                spoken[encoder] = spoken.get(encoder, frozenset()) | {*head.manifest.languages}
            self._spoken = self._heads, dict(sorted(spoken.items()))
        return self._spoken[1]

    def _answers(
        self, embeddings: Mapping[str, Sequence[Embedding | None]]
    ) -> dict[str, list[list[Answer] | None]]:
        """Return by classifier what it says of each article, None of one without an embedding."""
        given: dict[str, list[list[Answer] | None]] = {}
        for encoder, (classifiers, panel) in self._together().items():
            places, matrix = _matrix(embeddings.get(encoder, ()))
            if not places:
                continue
            for classifier, own in zip(classifiers, panel.answers(matrix), strict=True):
                rows: list[list[Answer] | None] = [None] * len(embeddings[encoder])
                for n, said in zip(places, own, strict=True):
                    rows[n] = said
                given[classifier] = rows
        return given

    def _together(self) -> dict[str, tuple[list[str], Panel]]:
        """Return, by encoder, its classifiers and their heads side by side; as long as heads stay."""
        if self._panels[0] is not self._heads:
            several: dict[str, dict[str, Head]] = {}
            for classifier, head in self._heads.items():
                several.setdefault(head.manifest.encoder, {})[classifier] = head
            panels = {e: (list(own), Panel(list(own.values()))) for e, own in several.items()}
            self._panels = self._heads, panels
        return self._panels[1]

    def subjects(
        self,
        articles: list[tuple[Article, str]],
        embeddings: Mapping[str, list[Embedding | None]],
        origins: Mapping[str, list[EmbeddingOrigin]],
    ) -> list[list[Subject]]:
        """Return every classifier's answer to each article.

        `embeddings` and `origins` (where each came from) hold, by encoder, one item an article.
        """
        answered: list[list[Subject]] = [[] for _ in articles]
        given = self._answers(embeddings)
        read: dict[frozenset[str], list[bool]] = {}  # by languages, an item an article
        for classifier, head in self._heads.items():
            manifest = head.manifest
            languages = frozenset(manifest.languages)
            if languages not in read:
                read[languages] = [reads(languages, *one) for one in articles]
            origin = origins.get(manifest.encoder, ())
            encoder, model = manifest.encoder, manifest.name
            own = given.get(classifier) or [None] * len(articles)
            for n, (said, is_read) in enumerate(zip(own, read[languages], strict=True)):
                if said is None or not is_read:
                    answered[n].append(_abstention(classifier, head))
                    continue
                for answer in said:
                    answered[n].append(
                        Subject(
                            classifier=classifier,
                            label=answer.label,
                            confidence=answer.confidence,
                            decision=answer.decision,
                            model=model,
                            encoder=encoder,
                            embedding=origin[n],
                        )
                    )
        return answered


def answers(head: Head, article: Article, text: str) -> bool:
    """Tell whether a classifier reads this article: there is text, in a language it serves."""
    return reads(head.manifest.languages, article, text)


def reads(languages: Container[str], article: Article, text: str) -> bool:
    """Tell whether there is text, in one of these languages or in one that nobody has told."""
    if not text:
        return False
    if article.language is None:
        return True
    return article.language.replace("_", "-").split("-")[0].lower() in languages


def _matrix(found: Sequence[Embedding | None]) -> tuple[list[int], np.ndarray]:
    """Return which articles have an embedding, and those embeddings, float16 `(B, D)`."""
    places = [n for n, embedding in enumerate(found) if embedding is not None]
    vectors = [embedding.vector for embedding in found if embedding is not None]
    return places, np.stack(vectors) if vectors else np.empty((0, 0), np.float16)


def _abstention(classifier: str, head: Head) -> Subject:
    return Subject(
        classifier=classifier,
        label=None,
        confidence=0.0,
        decision="abstain",
        model=head.manifest.name,
        encoder=head.manifest.encoder,
        embedding=None,
    )
