"""From logits to calibrated probabilities: what comes after a head's matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml import hierarchy
from ml.manifests import ModelManifest

LEAN = 1e-3
"""Share of the uncalibrated probability that is mixed into an isotonic one. Isotonic regression is
flat in places; with the slope that this gives, labels keep their order."""


class Probabilities:
    """How one model version turns logits, its temperature applied, into probabilities."""

    def __init__(self, manifest: ModelManifest) -> None:
        """Check the version's thresholds, tree and knots; raises ValueError."""
        self._several = manifest.kind == "multilabel"
        labels = len(manifest.labels)
        if self._several and len(manifest.thresholds) != labels:
            raise ValueError(f"{labels} labels, but {len(manifest.thresholds)} thresholds")
        if not self._several and (manifest.thresholds or manifest.tree):
            raise ValueError("thresholds and a tree belong to a head of several labels alone")
        hierarchy.check(manifest.tree)
        self._edges = hierarchy.order(manifest.tree, manifest.labels)
        self._knots = _knots(manifest.isotonic)

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities, float32 `(B, L)`, of logits `(B, L)`."""
        scores = sigmoid(logits) if self._several else softmax(logits)
        if self._knots is not None:
            scores = apply_isotonic(*self._knots, scores)
        return hierarchy.roll_up(self._edges, scores) if self._edges else scores


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of every row of `(B, L)`."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the logistic function of every logit; none overflows."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))


def apply_isotonic(p: np.ndarray, calibrated: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return `scores` calibrated by the knots, in their own type; what was larger stays larger."""
    mapped = (1 - LEAN) * np.interp(scores, p, calibrated) + LEAN * scores
    return np.asarray(mapped, scores.dtype)


def _knots(isotonic: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray] | None:
    if not isotonic:
        return None
    if len(isotonic) != 2 or len(isotonic[0]) != len(isotonic[1]) or not isotonic[0]:
        raise ValueError("isotonic knots are two lists of one length")
    p, calibrated = (np.array(side, np.float64) for side in isotonic)
    both = np.concatenate([p, calibrated])
    # Written so that NaN, which compares false, is refused too.
    if not ((np.diff(p) > 0).all() and (np.diff(calibrated) >= 0).all()):
        raise ValueError("isotonic knots must rise")
    if not ((both >= 0) & (both <= 1)).all():
        raise ValueError("isotonic knots must lie within 0 to 1")
    return p, calibrated
