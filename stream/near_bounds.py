"""When one text may take another's embedding: what was measured of an encoder, and its limits.

Similar words are not enough: where a head is not sure of the earlier text a single changed word
tips its answer. So a bound has two parts: how alike the texts are, and how sure every classifier is
of what it says of the earlier one. `python -m tests.bench.near [CORPUS ...]` measures both; for
minilm-l6 and the topic head, with texts of similarity 0.8 and more:

- Reuters-52 as it is and edited (the command without a corpus), 1,025 pairs: another label in
  1.95 %. Where the head is 95 % sure of the earlier text (728 pairs): in none, 0.41 % at most (the
  upper limit at 95 %); cosine's first percentile is 0.877, its median 0.985.
- An earlier draw that also took the whole of Reuters-21578, headlines of syndicated stories and AG
  News, much of which the head was not made for, 6,216 pairs: another label in 5.23 %. Where it is
  95 % sure (3,426): 0.03 %, at most 0.14 %; cosine's first percentile is 0.870.

It was measured with one head of one label an article. For other classifiers `verify` tells whether
the bound is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.artifact import ArtifactError, EncoderManifest, encoder_path, load_manifest
from ml.messages import Subject

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bound:
    """Least similarity (`stream.near`) and confidence for a near embedding; `window` in tokens."""

    window: int
    similarity: float
    confidence: float

    def allows(self, subjects: Sequence[Subject]) -> bool:
        """Tell whether these answers, out of an earlier text's embedding, may stand for a new one.

        It was measured with one label an article: another number of labels is not allowed.
        """
        answered = [subject for subject in subjects if subject.embedding is not None]
        return (
            bool(answered)
            and len({subject.classifier for subject in answered}) == len(answered)
            and all(s.label is not None and s.confidence >= self.confidence for s in answered)
        )


MEASURED = {
    # minilm-l6
    "3725520ca1b7ba39a921bac8aed97397a8d41d52457484673bb6ca4a51946592": Bound(
        window=256, similarity=0.8, confidence=0.95
    ),
}
"""By the sha256 of an encoder's weights: what was measured of one encoder holds for no other."""

WEIGHTS = "weights.safetensors"

OTHER_LABELS = 0.005
"""The share of near results whose label may differ from the one that their own text gets."""


class Bounds:
    """The bounds of the encoders in a home, by id."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: dict[str, Bound | None] = {}

    def __call__(self, encoder: str) -> Bound | None:
        """Return the bound of an encoder, None where none was measured of it; says so once."""
        if encoder not in self._known:
            self._known[encoder] = self._read(encoder)
            if self._known[encoder] is None:
                log.warning("no bound was measured of %s: none of its embeddings is near", encoder)
        return self._known[encoder]

    def _read(self, encoder: str) -> Bound | None:
        try:
            manifest = load_manifest(encoder_path(self._home, encoder), EncoderManifest)
        except ArtifactError:  # the engine serves it from elsewhere
            return None
        weights = manifest.files.get(WEIGHTS)
        bound = MEASURED.get(weights.sha256) if weights is not None else None
        # Rounded weights and another window make another encoder of the same file.
        fits = bound is not None and manifest.precision == "f32" and manifest.window == bound.window
        return bound if fits else None
