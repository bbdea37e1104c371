"""Computing results again: from the article in Kafka and the model version that the result names.

The cache is not asked. A result agrees when the labels, the decisions and the text's digest are the
same and the confidences differ by less than `TOLERANCE`. A near result stands on the embedding of
an earlier text, so its own text need not give it again: such results are counted apart, and agree
where the labels are the same. A measured bound says how many need not be (`stream.near_bounds`).
A degraded result is computed by the standby that it names, and agrees like any other.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from infra import names
from infra.settings import Settings
from ml import answers as heads_answers
from ml import text as texts
from ml.answers import Answer
from ml.artifact import ArtifactError, find_encoder, model_path
from ml.head import Head
from ml.messages import Article, Classification, Subject, decode_article, decode_classification
from stream import kafka
from stream.engine_client import EngineClient
from stream.near_bounds import OTHER_LABELS
from stream.serving import answers

TOLERANCE = 1e-4
"""Of the confidence: another batch may sum in another order, nothing else may differ."""

AT_ONCE = 256
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Disagreement:
    """A result that could not be reproduced, and what was computed instead."""

    uri: str
    partition: int
    offset: int
    model: str | None
    published: str
    computed: str


@dataclass
class Verification:
    """How many results agree; `expired` had their article taken by the topic's retention.

    Of those checked `near` stand on an earlier text's embedding, `near_agreed` of them have the
    labels of their own; they are in `agreed` not at all. `degraded` came from a standby.
    """

    checked: int = 0
    agreed: int = 0
    near: int = 0
    near_agreed: int = 0
    degraded: int = 0
    expired: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def near_within_bound(self) -> bool:
        """Tell whether the near results with other labels are as few as the measured bound says.

        Few were drawn, so three standard deviations and one more are not taken for a breach.
        """
        expected = OTHER_LABELS * self.near
        return self.near - self.near_agreed <= expected + 3 * math.sqrt(expected) + 1

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; `disagreements` at most 20, `agreement` without near ones."""
        own = self.checked - self.near
        return {
            "checked": self.checked,
            "agreed": self.agreed,
            "near": self.near,
            "near_agreed": self.near_agreed,
            "near_within_bound": self.near_within_bound,
            "degraded": self.degraded,
            "expired": self.expired,
            "agreement": self.agreed / own if own else None,
            "disagreements": [asdict(d) for d in self.disagreements[:20]],
        }


def verify(
    settings: Settings,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Compute a random sample of the results again, all of them where `sample` is None.

    Raises kafka.KafkaUnavailable; EngineRefused where an encoder is gone.
    """
    results = _sample(settings, sample, seed)
    wanted = {(r.origin.partition, r.origin.offset): r for r in results}
    outcome = Verification()
    engine = EngineClient(settings.engine_address)
    verifier = _Verifier(settings, engine)
    batch: list[tuple[Classification, bytes]] = []
    for message in kafka.read_to_end(settings, settings.topic(names.ARTICLES.name)):
        result = wanted.pop(kafka.place(message), None)
        if result is None:
            continue
        batch.append((result, message.value() or b""))
        if len(batch) >= AT_ONCE:
            verifier.check(batch, outcome)
            batch = []
            if progress:
                progress(outcome.checked, len(results))
    verifier.check(batch, outcome)
    engine.close()
    if progress:
        progress(outcome.checked, len(results))
    outcome.expired = len(wanted)
    return outcome


def _sample(settings: Settings, sample: int | None, seed: int) -> list[Classification]:
    """Return results drawn evenly (reservoir sampling, Vitter 1985)."""
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    kept: list[Classification] = []
    seen = 0
    for message in kafka.read_to_end(settings, settings.topic(names.CLASSIFICATIONS.name)):
        value = message.value()
        if value is None:
            continue
        seen += 1
        if sample is None or len(kept) < sample:
            kept.append(decode_classification(value))
        elif (place := draw.randrange(seen)) < sample:
            kept[place] = decode_classification(value)
    return kept


class _Verifier:
    """Heads by name, and an engine."""

    def __init__(self, settings: Settings, engine: EngineClient) -> None:
        self._home = settings.home
        self._engine = engine
        self._heads: dict[str, Head] = {}

    def check(self, batch: Iterable[tuple[Classification, bytes]], outcome: Verification) -> None:
        """Compute a batch again and count how much agrees."""
        items = [(result, decode_article(value)) for result, value in batch]
        wanted: dict[str, dict[str, None]] = {}
        for result, article in items:
            for subject in result.subjects:
                if subject.encoder is not None and article.text:
                    wanted.setdefault(subject.encoder, {})[article.text] = None
        vectors: dict[tuple[str, str], np.ndarray] = {}
        for encoder, several in wanted.items():
            embeddings = self._engine.embed(encoder, list(several))
            for text, embedding in zip(several, embeddings, strict=True):
                vectors[encoder, text] = embedding.vector
        for result, article in items:
            self._check_one(result, article, vectors, outcome)

    def _check_one(
        self,
        result: Classification,
        article: Article,
        vectors: dict[tuple[str, str], np.ndarray],
        outcome: Verification,
    ) -> None:
        problems: list[tuple[Subject, str]] = []
        if (digest := texts.digest(article.text)) != result.digest:
            problems.append((result.subjects[0], f"digest {digest}"))
        near, near_agreed = False, True
        for published in _by_model(result.subjects):
            computed = self._computed(published[0], article, vectors, result.degraded)
            if published[0].embedding == "near" and not isinstance(computed, str):
                near = True
                near_agreed &= _labels(published) == _labels(computed)
            elif (problem := self._problem(published, computed)) is not None:
                problems.append((published[0], problem))
        outcome.checked += 1
        outcome.near += near
        outcome.degraded += result.degraded
        if not problems:
            outcome.agreed += not near
            outcome.near_agreed += near and near_agreed
        outcome.disagreements += [
            Disagreement(
                result.uri,
                result.origin.partition,
                result.origin.offset,
                subject.model,
                f"{subject.label} {subject.confidence} {subject.decision}",
                problem,
            )
            for subject, problem in problems
        ]

    def _computed(
        self,
        subject: Subject,
        article: Article,
        vectors: dict[tuple[str, str], np.ndarray],
        degraded: bool,
    ) -> list[Answer] | str:
        """Return what the version that a subject names answers; a text where it cannot be had."""
        try:
            head = self._head(subject.model or "")
            own = head.manifest.encoder
            encoder = subject.encoder or own
            if encoder != own and not (
                degraded and own in find_encoder(self._home, encoder).parents
            ):
                return f"{subject.model} answers on {own}, not on {encoder}"
        except ArtifactError as error:
            return str(error)
        if not answers(head, article, article.text):
            return [Answer(None, 0.0, "abstain")]
        scores = head.scores(vectors[encoder, article.text][None])
        return heads_answers.answers(head, scores)[0]

    def _problem(self, published: Sequence[Subject], computed: list[Answer] | str) -> str | None:
        """Return what was computed instead of one version's answers, None where they agree."""
        if isinstance(computed, str):
            return computed
        head = self._head(published[0].model or "")
        pairs = zip(sorted(published, key=_label), sorted(computed, key=_label), strict=False)
        same = len(published) == len(computed) and all(
            one.label == other.label
            and abs(one.confidence - other.confidence) < TOLERANCE
            and one.decision == ("abstain" if one.label is None else head.decide(one.confidence))
            for one, other in pairs
        )
        shown = (f"{a.label} {a.confidence:.6f} {a.decision}" for a in computed)
        return None if same else ", ".join(shown)

    def _head(self, model: str) -> Head:
        if model not in self._heads:
            self._heads[model] = Head.load(model_path(self._home, model))
        return self._heads[model]


def _by_model(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Return the answers of each model version; a person's label is none, nothing computes it."""
    by_model: dict[tuple[str, str | None], list[Subject]] = {}
    for subject in subjects:
        if subject.decision != "corrected":
            by_model.setdefault((subject.classifier, subject.model), []).append(subject)
    return list(by_model.values())


def _label(answer: Subject | Answer) -> str:
    return answer.label or ""


def _labels(answered: Sequence[Subject | Answer]) -> set[str | None]:
    return {answer.label for answer in answered}
