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
    `truth` and `chosen` are bool `(N, L)`, `scores` the probabilities `(N, known)`. `several` says
    that a probability is claimed for every label; else only the likeliest label's is a claim.
    """

    labels: list[str]
    known: int
    truth: np.ndarray
    chosen: np.ndarray
    scores: np.ndarray
    several: bool

    @classmethod
    def of(
        cls,
        truth: Sequence[Collection[str]],
        scores: np.ndarray,
        known: Sequence[str],
        chosen: np.ndarray,
        *,
        several: bool,
    ) -> Answers:
        """Take the labels marked in `chosen`, bool `(N, len(known))` like `scores`."""
        labels = [*known, *sorted({label for its in truth for label in its} - set(known))]
        unknown = np.zeros((len(chosen), len(labels) - len(known)), bool)
        return cls(
            labels=labels,
            known=len(known),
            truth=_indicators(truth, labels),
            chosen=np.hstack([chosen, unknown]),
            scores=scores.astype(np.float64),
            several=several,
        )

    @classmethod
    def single(cls, truth: Sequence[str], scores: np.ndarray, known: Sequence[str]) -> Answers:
        """Take the likeliest label of every row of `scores` `(N, len(known))`."""
        chosen = np.zeros(scores.shape, bool)
        chosen[np.arange(len(chosen)), scores.argmax(axis=1)] = True
        return cls.of([[label] for label in truth], scores, known, chosen, several=False)

    @property
    def claims(self) -> np.ndarray:
        """The probabilities that calibration is measured on, `(N, K)`."""
        return self.scores if self.several else self.scores.max(axis=1, keepdims=True)

    @property
    def held(self) -> np.ndarray:
        """Which claims came true, bool `(N, K)`."""
        truth = self.truth[:, : self.known]
        if self.several:
            return truth
        return np.take_along_axis(truth, self.scores.argmax(axis=1)[:, None], axis=1)

    @property
    def given(self) -> tuple[np.ndarray, np.ndarray]:
        """The confidence of every label given, `(M,)`, and whether it was right, bool `(M,)`."""
        mine = self.chosen[:, : self.known]
        return self.scores[mine], self.truth[:, : self.known][mine]

    @property
    def abstained(self) -> int:
        """How many articles got no label."""
        return int((~self.chosen.any(axis=1)).sum())

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
    """Return, for every goal of precision, threshold, share accepted and precision reached.

    The share is of all answers, abstentions among them.
    """
    confidence, right = answers.given
    table: dict[str, dict[str, float | None]] = {}
    for goal in GOALS:
        threshold = operating_point(confidence, right, goal)
        taken = np.zeros(len(right), bool) if threshold is None else confidence >= threshold
        table[f"{goal:g}"] = {
            "threshold": threshold,
            "accepted": float(taken.sum()) / (len(right) + answers.abstained),
            "precision": float(right[taken].mean()) if taken.any() else None,
        }
    return table


def accepted(answers: Answers, threshold: float | None) -> np.ndarray:
    """Return which articles need no review, bool `(N,)`: all their labels are certain enough."""
    if threshold is None:
        return np.zeros(len(answers), bool)
    mine = answers.chosen[:, : answers.known]
    least = np.where(mine, answers.scores, np.inf).min(axis=1)
    return np.asarray(mine.any(axis=1) & (least >= threshold))


def evaluate(answers: Answers) -> dict[str, Any]:
    """Return the figures of one evaluation, ready for a manifest."""
    points = operating_points(answers)
    decisive = points[f"{PRECISION_GOAL:g}"]
    return {
        "articles": len(answers),
        "accuracy": float(answers.right.mean()),
        "macro_f1": macro_f1(answers),
        "micro_f1": micro_f1(answers),
        "ece": ece(answers.claims, answers.held),
        "accepted": decisive["accepted"],
        "threshold": decisive["threshold"],
        "operating_points": points,
        "labels": per_label(answers),
    }
