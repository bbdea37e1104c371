"""From a head's probabilities to its answers: which labels an article gets, how sure, what then.

The one place that knows a head of one label an article from one of several: the stream, `verify` and
the evaluation all read answers here.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from ml.head import Head

CONFIDENCE_DIGITS = 6  # finer differences are those of the processor, not of the article


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One label of one article; None where the head gives none, with its best probability."""

    label: str | None
    confidence: float
    decision: Literal["accept", "review", "abstain"]


def chosen(head: Head, scores: np.ndarray) -> np.ndarray:
    """Return which labels the head gives, bool `(B, L)`, of its probabilities `(B, L)`."""
    manifest = head.manifest
    if manifest.kind == "multilabel":
        return np.asarray(scores >= np.array(manifest.thresholds, np.float32))
    best = np.zeros(scores.shape, bool)
    best[np.arange(len(scores)), scores.argmax(axis=1)] = True
    if manifest.abstain_below is not None:
        best &= scores >= np.float32(manifest.abstain_below)
    return best


def answers(head: Head, scores: np.ndarray) -> list[list[Answer]]:
    """Return the answers to every row of probabilities `(B, L)`, the most certain first.

    A head of several labels gives one for each label at or over its threshold. Where no label is
    given there is one abstention.
    """
    labels = head.manifest.labels
    given = chosen(head, scores)
    answered: list[list[Answer]] = []
    for row, which in zip(scores, given, strict=True):
        places = np.flatnonzero(which)
        if not len(places):
            answered.append([Answer(None, _rounded(row.max()), "abstain")])
            continue
        ranked = places[np.argsort(-row[places], kind="stable")].tolist()
        answered.append(
            [
                Answer(labels[n], confidence, head.decide(confidence))
                for n in ranked
                for confidence in (_rounded(row[n]),)
            ]
        )
    return answered


def _rounded(probability: float) -> float:
    return round(float(probability), CONFIDENCE_DIGITS)
