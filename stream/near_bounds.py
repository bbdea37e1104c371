"""When one text may take another's embedding: what was measured of an encoder, and its limits.

Similar words are not enough. Of text pairs of similarity 0.8 and more 5 % get different labels from
the topic head, nearly all where it was not sure of the earlier text either; a single changed word
tips those. So a bound has two parts: how alike the texts are, and how sure every classifier is of
what it says of the earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.messages import Subject


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


BOUNDS = {"minilm-l6+17e1": Bound(window=256, similarity=0.8, confidence=0.9)}
"""By encoder id: what was measured of one encoder holds for no other."""

OTHER_LABELS = 0.005
"""The share of near results whose label may differ from the one that their own text gets."""
