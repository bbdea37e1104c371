"""Computing results again: from the article in Kafka and the model version that the result names.

The cache is not asked. A result agrees when the label, the decision and the text's digest are the
same and the confidence differs by less than `TOLERANCE`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from infra import names
from infra.settings import Settings
from ml import text as texts
from ml.artifact import ArtifactError, model_path
from ml.head import Head
from ml.messages import Classification, Subject, decode_article, decode_classification
from stream import kafka
from stream.engine_client import EngineClient
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
    """How many results agree; `expired` had their article taken by the topic's retention."""

    checked: int = 0
    agreed: int = 0
    expired: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; `disagreements` at most 20."""
        share = self.agreed / self.checked if self.checked else None
        return {
            "checked": self.checked,
            "agreed": self.agreed,
            "expired": self.expired,
            "agreement": share,
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
    verifier = _Verifier(settings)
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

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._engine = EngineClient(settings.engine_address)
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
            outcome.checked += 1
            text = article.text
            problems = [
                (subject, computed)
                for subject in result.subjects
                if (computed := self._problem(subject, article, text, vectors)) is not None
            ]
            if texts.digest(text) != result.digest:
                problems.append((result.subjects[0], f"digest {texts.digest(text)}"))
            if not problems:
                outcome.agreed += 1
            outcome.disagreements += [
                Disagreement(
                    result.uri,
                    result.origin.partition,
                    result.origin.offset,
                    subject.model,
                    f"{subject.label} {subject.confidence} {subject.decision}",
                    computed,
                )
                for subject, computed in problems
            ]

    def _problem(
        self,
        subject: Subject,
        article: Any,
        text: str,
        vectors: dict[tuple[str, str], np.ndarray],
    ) -> str | None:
        """Return what was computed instead of `subject`, None where it agrees."""
        if subject.decision == "corrected":
            return None  # a person's label: there is nothing to compute
        try:
            head = self._head(subject.model or "")
        except ArtifactError as error:
            return str(error)
        if not answers(head, article, text):
            return None if subject.decision == "abstain" else "abstain"
        scores = head.scores(vectors[head.manifest.encoder, text][None])[0]
        best = int(scores.argmax())
        confidence = float(scores[best])
        decision = head.decide(subject.confidence)
        same = (
            head.manifest.labels[best] == subject.label
            and abs(confidence - subject.confidence) < TOLERANCE
            and decision == subject.decision
        )
        return None if same else f"{head.manifest.labels[best]} {confidence:.6f} {decision}"

    def _head(self, model: str) -> Head:
        if model not in self._heads:
            self._heads[model] = Head.load(model_path(self._home, model))
        return self._heads[model]
