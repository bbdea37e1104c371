"""Why a model version answers as it does: words, neighbours, and what would have changed it.

Three views of one answer, each a check on the others:
- the words that carried it: `ml.attribution`, the tokens' shares summed to words;
- the labelled articles nearest to it, by the cosine of their stored embeddings;
- its sentences, each left out once: by how much the confidence falls, and whether the label changes
  (DeYoung et al., 2020, ERASER, arXiv:1911.03429, call this comprehensiveness).

Confidences are computed as the stream computes them, by the same runtime in the same precision.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from ml import text as texts
from ml.artifact import (
    ArtifactError,
    EncoderManifest,
    encoder_path,
    find_encoder,
    load_manifest,
    model_path,
    read_tensors,
)
from ml.attribution import Attributor
from ml.embedder import Embedder
from ml.encoder import EncoderConfig, build
from ml.head import HEAD_FILE, Head
from ml.neighbours import Neighbour, Neighbours
from ml.passages import sentences, without, words
from ml.runtimes import Precision, RuntimeName
from ml.tokenizer import Tokenizer

KEPT = 2  # encoders (and heads, and datasets) held in memory at once
NEAREST = 5
CHARACTERS_PER_TOKEN = 40  # of the text that is looked at, as the tokenizer reads it
WEIGHTS = "weights.safetensors"
T = TypeVar("T")


class Word(msgspec.Struct, frozen=True):
    """Characters `start` to `end` of the text, and their share in the label's log-odds.

    `attention` is the share of the encoder's attention that they get, whatever the label.
    """

    start: int
    end: int
    weight: float
    attention: float


class Sentence(msgspec.Struct, frozen=True):
    """A sentence, and the answer without it; `drop` is of the confidence in the label given."""

    start: int
    end: int
    drop: float
    label: str
    confidence: float
    flips: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told of one answer.

    `baseline` names what stood for "no words": mask or zeros. `completeness_error` is the share by
    which the words' weights miss `log_odds` - `log_odds_baseline`. `note` tells what could not be
    explained, or was explained by an approximation.
    """

    model: str
    encoder: str
    label: str
    confidence: float
    decision: str
    text: str
    truncated: bool
    baseline: str
    log_odds: float
    log_odds_baseline: float
    steps: int
    completeness_error: float
    words: list[Word]
    sentences: list[Sentence]
    nearest: list[Neighbour]
    dataset: str
    note: str = ""
    seconds: float = 0.0


class Explainer:
    """Explains answers of any model version of a home; keeps what it loaded for the next."""

    def __init__(
        self,
        home: Path,
        runtime: RuntimeName = "auto",
        precision: Precision = "auto",
        threads: int = 0,
    ) -> None:
        self._home = home
        self._runtime: tuple[RuntimeName, Precision, int] = (runtime, precision, threads)
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def explain(self, model: str, title: str, body: str, label: str | None = None) -> Explanation:
        """Explain why `model` gives an article its label, or how far it is from giving `label`.

        Raises ArtifactError where the version is missing or broken or has no such label, ValueError
        where there is no text.
        """
        began = time.monotonic()
        title, text = texts.normalise(title), texts.normalise(f"{title}\n{body}")
        head = self._keep("head", model, lambda: Head.load(model_path(self._home, model)))
        embedder = self._embedder(head.manifest.encoder)
        text = text[: embedder.manifest.window * CHARACTERS_PER_TOKEN]
        if not text:
            raise ValueError("the article has neither a title nor a body: nothing to explain")
        vectors, cut = embedder.embed([text])
        scores = head.scores(vectors)[0]
        chosen = _label(head, scores, label)
        confidence = float(scores[chosen])
        tokens, attribution, attention, baseline, note = self._attribute(head, text, chosen)
        neighbours = self._neighbours(head.manifest.dataset, embedder)
        return Explanation(
            model=model,
            encoder=head.manifest.encoder,
            label=head.manifest.labels[chosen],
            confidence=confidence,
            decision=head.decide(confidence),
            text=text,
            truncated=cut[0],
            baseline=baseline,
            log_odds=attribution.answer,
            log_odds_baseline=attribution.baseline,
            steps=attribution.steps,
            completeness_error=attribution.error,
            words=[
                Word(
                    tokens[w[0]].start,
                    max(tokens[n].end for n in w),
                    float(attribution.shares[w].sum()),
                    float(attention[w].sum()),
                )
                for w in words(text, tokens)
            ],
            sentences=_leave_out(embedder, head, text, len(title), chosen, confidence),
            nearest=neighbours.nearest(vectors[0], NEAREST, but=text),
            dataset=head.manifest.dataset,
            note="; ".join(filter(None, (note, neighbours.note))),
            seconds=time.monotonic() - began,
        )

    def _attribute(self, head: Head, text: str, label: int) -> tuple[Any, Any, Any, str, str]:
        """Return the tokens' spans, their shares, their attention, the baseline's name, a note."""
        manifest = self._with_weights(head.manifest.encoder)
        note = (
            f"{head.manifest.encoder} holds no weights to differentiate: its words are weighed by "
            f"{manifest.id}, which it was made from"
            if manifest.id != head.manifest.encoder
            else ""
        )
        tokenizer, attributor = self._keep(
            "attributor", manifest.id, lambda: self._load_attributor(manifest)
        )
        found = tokenizer.locate(text)
        tensors = read_tensors(model_path(self._home, head.manifest.name) / HEAD_FILE)
        temperature = head.manifest.temperature
        attribution = attributor.attribute(
            found.ids,
            found.special,
            [
                tensors["weights"] / temperature,
                tensors["bias"] / temperature,
                *(tensors[name] for name in ("hidden", "hidden_bias") if name in tensors),
            ],
            label,
            several=head.manifest.kind == "multilabel",
        )
        baseline = "zeros" if tokenizer.mask_token is None else "mask"
        return found.spans, attribution, attributor.attention(found.ids), baseline, note

    def _with_weights(self, encoder: str) -> EncoderManifest:
        """Return the encoder, or the nearest one that it was made from, that has weights."""
        manifest = find_encoder(self._home, encoder)
        while WEIGHTS not in manifest.files:
            if not manifest.parents:
                raise ArtifactError(f"{encoder} has no {WEIGHTS} and no parent that has")
            manifest = find_encoder(self._home, manifest.parents[0])
        return manifest

    def _load_attributor(self, manifest: EncoderManifest) -> tuple[Tokenizer, Attributor]:
        folder = encoder_path(self._home, manifest.id)
        load_manifest(folder, EncoderManifest)
        config = msgspec.convert(manifest.config, EncoderConfig)
        encoder = build(config, read_tensors(folder / WEIGHTS))
        tokenizer = Tokenizer.load(folder / "tokenizer.json", manifest.window)
        return tokenizer, Attributor(encoder, tokenizer.mask_token)

    def _embedder(self, encoder: str) -> Embedder:
        folder = encoder_path(self._home, encoder)
        return self._keep("embedder", encoder, lambda: Embedder(folder, *self._runtime))

    def _neighbours(self, dataset: str, embedder: Embedder) -> Neighbours:
        key = ("neighbours", f"{dataset} {embedder.fingerprint}")
        if key in self._kept and self._kept[key].note:
            del self._kept[key]  # there were none; a training may have stored them since
        return self._keep(*key, lambda: Neighbours.load(self._home, dataset, embedder))

    def _keep(self, kind: str, name: str, load: Callable[[], T]) -> T:
        """Return what is kept under a name, loading it first; the longest unused goes."""
        key = (kind, name)
        if key not in self._kept:
            self._kept[key] = load()
            of_kind = [k for k in self._kept if k[0] == kind]
            for old in of_kind[:-KEPT]:
                del self._kept[old]
        self._kept.move_to_end(key)
        found: T = self._kept[key]
        return found


def _label(head: Head, scores: np.ndarray, wanted: str | None) -> int:
    if wanted is None:
        return int(scores.argmax())
    if wanted not in head.manifest.labels:
        known = ", ".join(head.manifest.labels[:20])
        raise ArtifactError(f"{head.manifest.name} has no label {wanted!r}; it has {known}")
    return head.manifest.labels.index(wanted)


def _leave_out(
    embedder: Embedder, head: Head, text: str, title: int, chosen: int, confidence: float
) -> list[Sentence]:
    """Answer for the text without each of its sentences, all in one batch."""
    spans = sentences(text, title)
    if len(spans) < 2:  # without its one sentence there is no text
        return []
    vectors, _ = embedder.embed([without(text, span) for span in spans])
    rows = head.scores(vectors)  # (S, L)
    labels = head.manifest.labels
    return [
        Sentence(
            span.start,
            span.end,
            confidence - float(row[chosen]),
            labels[int(row.argmax())],
            float(row.max()),
            int(row.argmax()) != chosen,
        )
        for span, row in zip(spans, rows, strict=True)
    ]
