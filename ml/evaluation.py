"""How good a head is on labelled articles: accuracy, F1, calibration, operating points.

`Answers` holds what a head said beside what is true, the same for heads that give one label and
for heads that give several; everything else in the evaluation reads it alone. Throughout, N are
articles and L labels.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.evaluation_calibration import ece

PRECISION_GOAL = 0.9
"""Precision of what is accepted without review, on the evaluation."""

GOALS = (0.8, PRECISION_GOAL, 0.95, 0.99)
"""The operating points that a version stores; results take their `decision` from the 0.9 one."""


@dataclass(frozen=True)
class Answers:
    """What a head answered, beside the truth.

    `labels` are the head's, `known` of them, then those of the truth that it can never choose.
    `truth` and `chosen` are bool `(N, L)`. `confidence` `(N,)` is of the surest label. `claims`
    `(N, K)` are the probabilities that calibration is measured on and `held` `(N, K)` whether each
    came true: K is 1 for a head that gives one label, else the number of its labels.
    """

    labels: list[str]
    known: int
    truth: np.ndarray
    chosen: np.ndarray
    confidence: np.ndarray
    claims: np.ndarray
    held: np.ndarray

    @classmethod
    def single(cls, truth: Sequence[str], scores: np.ndarray, known: Sequence[str]) -> Answers:
        """Take the likeliest label of every row of `scores` `(N, len(known))`."""
        labels = _union(known, [[label] for label in truth])
        right = _indicators([[label] for label in truth], labels)
        best = scores.argmax(axis=1)
        chosen = np.zeros(right.shape, bool)
        chosen[np.arange(len(chosen)), best] = True
        confidence = scores.max(axis=1).astype(np.float64)
        held = right[np.arange(len(right)), best]
        return cls(
            labels,
            len(known),
            right,
            chosen,
            confidence,
            confidence[:, None],
            held[:, None],
        )

    @classmethod
    def several(
        cls,
        truth: Sequence[Collection[str]],
        scores: np.ndarray,
        known: Sequence[str],
        chosen: np.ndarray,
    ) -> Answers:
        """Take the labels marked in `chosen`, bool `(N, len(known))` like `scores`."""
        labels = _union(known, truth)
        right = _indicators(truth, labels)
        unknown = np.zeros((len(chosen), len(labels) - len(known)), bool)
        return cls(
            labels,
            len(known),
            right,
            np.hstack([chosen.astype(bool), unknown]),
            scores.max(axis=1).astype(np.float64),
            scores.astype(np.float64),
            right[:, : len(known)],
        )

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def right(self) -> np.ndarray:
        """Which articles got exactly their labels, bool `(N,)`."""
        return np.asarray((self.truth == self.chosen).all(axis=1))

    def correct(self, label: str) -> np.ndarray:
        """Which articles a label was rightly given or rightly not given, bool `(N,)`."""
        n = self.labels.index(label)
        return np.asarray(self.truth[:, n] == self.chosen[:, n])

    def said(self, article: int) -> str:
        """Return what the head said of one article, as a person reads it."""
        return _names(self.labels, self.chosen[article])

    def true(self, article: int) -> str:
        """Return the true labels of one article, as a person reads them."""
        return _names(self.labels, self.truth[article])


def _union(known: Sequence[str], truth: Sequence[Collection[str]]) -> list[str]:
    found = {label for labels in truth for label in labels}
    return [*known, *sorted(found - set(known))]


def _indicators(truth: Sequence[Collection[str]], labels: Sequence[str]) -> np.ndarray:
    """Return bool `(N, L)`: which article has which label."""
    place = {label: n for n, label in enumerate(labels)}
    matrix = np.zeros((len(truth), len(labels)), bool)
    for row, its in zip(matrix, truth, strict=True):
        row[[place[label] for label in its]] = True
    return matrix


def _names(labels: Sequence[str], marked: np.ndarray) -> str:
    return ", ".join(label for label, its in zip(labels, marked, strict=True) if its) or "none"


def counts(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits, answered and support of every label, each int `(L,)`."""
    hits = (answers.truth & answers.chosen).sum(axis=0)
    return hits, answers.chosen.sum(axis=0), answers.truth.sum(axis=0)


def f1(hits: np.ndarray, answered: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return the F1 of counts, of any one shape; NaN where a label neither occurs nor is answered."""
    both = np.asarray(answered + support, np.float64)
    nothing = np.full(both.shape, np.nan)
    return np.asarray(np.divide(2.0 * hits, both, out=nothing, where=both > 0))


def per_label(answers: Answers) -> dict[str, dict[str, float]]:
    """Return precision, recall, f1, support and answered of every label; 0 where a quotient is 0/0."""
    hits, answered, support = counts(answers)
    measure = np.nan_to_num(f1(hits, answered, support))
    return {
        label: {
            "precision": int(hits[n]) / int(answered[n]) if answered[n] else 0.0,
            "recall": int(hits[n]) / int(support[n]) if support[n] else 0.0,
            "f1": float(measure[n]),
            "support": int(support[n]),
            "answered": int(answered[n]),
        }
        for n, label in enumerate(answers.labels)
    }


def macro_f1(answers: Answers) -> float:
    """Return the mean F1 over the labels that occur in the truth or in the answers."""
    occurring = f1(*counts(answers))
    occurring = occurring[~np.isnan(occurring)]
    return float(occurring.mean()) if len(occurring) else 0.0


def micro_f1(answers: Answers) -> float:
    """Return the F1 of all labels' decisions together; the accuracy where each article has one."""
    hits, answered, support = (int(count.sum()) for count in counts(answers))
    return 2 * hits / (answered + support) if answered + support else 0.0


def confusion(answers: Answers) -> np.ndarray:
    """Return int `(L, L)`: how often the label of the row was answered with that of the column.

    Off the diagonal stand a missed label and one given in its place in the same article; where an
    article has one label, that is the confusion matrix as usual.
    """
    missed, extra = answers.truth & ~answers.chosen, answers.chosen & ~answers.truth
    # float: numpy multiplies integers without BLAS; counts stay exact below 2**53
    table = missed.astype(np.float64).T @ extra.astype(np.float64)
    np.fill_diagonal(table, counts(answers)[0])
    return np.asarray(table, np.int64)


def operating_point(
    confidence: np.ndarray, right: np.ndarray, goal: float = PRECISION_GOAL
) -> float | None:
    """Return the least confidence from which on answers are right in a share of `goal`.

    That is the confidence that accepts most; None where none reaches the goal. It is rounded down
    to six digits. An article less certain than all of the evaluation is never accepted.
    """
    order = np.argsort(-confidence, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(right) + 1)
    sorted_confidence = confidence[order]
    # Equal confidences are accepted together: only the last of them can be a threshold.
    last = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    reached = np.flatnonzero((precision >= goal) & last)
    if not len(reached):
        return None
    return math.floor(float(sorted_confidence[reached[-1]]) * 1e6) / 1e6


def operating_points(answers: Answers) -> dict[str, dict[str, float | None]]:
    """Return, for every goal of precision, threshold, share accepted and precision reached."""
    table: dict[str, dict[str, float | None]] = {}
    for goal in GOALS:
        threshold = operating_point(answers.confidence, answers.right, goal)
        taken = accepted(answers, threshold)
        table[f"{goal:g}"] = {
            "threshold": threshold,
            "accepted": float(taken.mean()),
            "precision": float(answers.right[taken].mean()) if taken.any() else None,
        }
    return table


def accepted(answers: Answers, threshold: float | None) -> np.ndarray:
    """Return which articles would be accepted without review, bool `(N,)`."""
    if threshold is None:
        return np.zeros(len(answers), bool)
    return np.asarray(answers.confidence >= threshold)


def evaluate(answers: Answers) -> dict[str, Any]:
    """Return the figures of one evaluation, ready for a manifest."""
    threshold = operating_point(answers.confidence, answers.right)
    return {
        "articles": len(answers),
        "accuracy": float(answers.right.mean()),
        "macro_f1": macro_f1(answers),
        "micro_f1": micro_f1(answers),
        "ece": ece(answers.claims, answers.held),
        "accepted": float(accepted(answers, threshold).mean()),
        "threshold": threshold,
        "operating_points": operating_points(answers),
        "labels": per_label(answers),
    }
