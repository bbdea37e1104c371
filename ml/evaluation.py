"""How good a head is: accuracy, F1, calibration, operating point, and the gate to deployment.

Throughout, `truth` are label indices int `(N,)`, -1 where the head does not know the label, and
`scores` are probabilities `(N, L)`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PRECISION_GOAL = 0.9
"""Precision of what is accepted without review, on the evaluation."""

LEAST_AGREEMENT = 0.99
"""Of a quantized encoder's labels with the unquantized one's: below, it is another model."""

MOST_LOSS = 0.003
"""Of accuracy by quantization: more than that is not paid for by speed."""

BINS = 15  # the usual number for the expected calibration error


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of right answers; for single labels also the micro-F1."""
    return float(np.mean(truth == predicted))


def per_label(
    truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return precision, recall, f1 and support of every label; 0 where a quotient is 0/0."""
    table = {}
    for index, label in enumerate(labels):
        hits = int(np.sum((truth == index) & (predicted == index)))
        answered, support = int(np.sum(predicted == index)), int(np.sum(truth == index))
        table[label] = {
            "precision": hits / answered if answered else 0.0,
            "recall": hits / support if support else 0.0,
            "f1": 2 * hits / (answered + support) if answered + support else 0.0,
            "support": support,
            "answered": answered,
        }
    return table


def macro_f1(truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> float:
    """Return the mean F1 over the labels that occur in the truth or in the answers."""
    rows = per_label(truth, predicted, labels).values()
    occurring = [row["f1"] for row in rows if row["support"] or row["answered"]]
    return float(np.mean(occurring)) if occurring else 0.0


def ece(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the expected calibration error, 15 bins of equal width (Guo et al., 2017).

    0 says: of the answers given with confidence p, a share p is right.
    """
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = (right.astype(float) - confidence)[None, :] * (bins[None, :] == np.arange(BINS)[:, None])
    return float(np.abs(gaps.sum(axis=1)).sum() / len(truth))


def operating_point(
    truth: np.ndarray, scores: np.ndarray, goal: float = PRECISION_GOAL
) -> float | None:
    """Return the least confidence from which on answers are right in a share of `goal`.

    That is the confidence that accepts most; None where none reaches the goal. It is rounded down
    to six digits. An article less certain than all of the evaluation is never accepted.
    """
    confidence = scores.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (scores.argmax(axis=1) == truth)[order]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    sorted_confidence = confidence[order]
    # Equal confidences are accepted together: only the last of them can be a threshold.
    last = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    reached = np.flatnonzero((precision >= goal) & last)
    if not len(reached):
        return None
    return math.floor(float(sorted_confidence[reached[-1]]) * 1e6) / 1e6


def evaluate(truth: np.ndarray, scores: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Return every figure of one evaluation, ready for a manifest."""
    predicted = scores.argmax(axis=1)
    threshold = operating_point(truth, scores)
    accepted = 0.0 if threshold is None else float(np.mean(scores.max(axis=1) >= threshold))
    return {
        "articles": len(truth),
        "accuracy": accuracy(truth, predicted),
        "macro_f1": macro_f1(truth, predicted, labels),
        "micro_f1": accuracy(truth, predicted),
        "ece": ece(truth, scores),
        "accepted": accepted,
        "labels": per_label(truth, predicted, labels),
    }


def gate_twin(candidate: Mapping[str, Any], original: Mapping[str, Any]) -> list[str]:
    """Return why a quantized encoder's head may not be deployed, nothing where it may.

    `candidate` has `accuracy`, and `agreement` with the head on the original encoder's embeddings,
    whose `accuracy` is in `original`.
    """
    reasons = []
    if candidate["agreement"] < LEAST_AGREEMENT:
        reasons.append(
            f"it agrees with the unquantized encoder on {candidate['agreement']:.4f} of the "
            f"articles, below {LEAST_AGREEMENT}"
        )
    loss = original["accuracy"] - candidate["accuracy"]
    if loss > MOST_LOSS:
        reasons.append(
            f"accuracy {candidate['accuracy']:.4f} is {loss:.4f} below the unquantized encoder's; "
            f"{MOST_LOSS} is allowed"
        )
    return reasons


def gate(
    candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, margin: float
) -> tuple[bool, list[str]]:
    """Decide whether a candidate may be deployed, and why not.

    Both are results of `evaluate` on the same articles. Without a champion everything may. A
    candidate whose accuracy lies more than `margin` below the champion's is refused, and one that
    has no answer for a label that the champion gets right.
    """
    if champion is None:
        return True, []
    reasons = []
    got, needed = candidate["accuracy"], champion["accuracy"] - margin
    if got < needed:
        reasons.append(
            f"accuracy {got:.4f} is below {needed:.4f} "
            f"(the champion's {champion['accuracy']:.4f} less the margin {margin})"
        )
    lost = [
        label
        for label, row in champion["labels"].items()
        if row["recall"] > 0 and label not in candidate["labels"]
    ]
    if lost:
        reasons.append(f"it does not know {', '.join(lost)}, which the champion answers")
    return not reasons, reasons
