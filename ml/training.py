"""Fitting a head on frozen embeddings: multinomial logistic regression, then its temperature.

No TensorFlow, one thread, no randomness: the same embeddings and labels give the same head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from ml.calibration import fit_temperature
from ml.probabilities import softmax

STRENGTHS = (3.0, 10.0, 30.0, 100.0)
"""Inverse regularisation strengths that are tried. Embeddings of length 1 need weak regularisation;
beyond 100 the validation accuracy fell on R8 and R52."""

ITERATIONS = 1_000  # R52 converges within 100


Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


class TrainingError(ValueError):
    """Articles that no head can be fitted on; the message says why."""


@dataclass(frozen=True)
class Fit:
    """A fitted head: `weights` float32 `(D, L)`, `bias` float32 `(L,)`, in the order of `labels`.

    Behind a `hidden` layer `(D, H)`, `(H,)` the weights are `(H, L)`. `special` are the manifest's
    fields that a plain head leaves as they are, `notes` what its metrics say of the fitting.
    """

    labels: list[str]
    weights: np.ndarray
    bias: np.ndarray
    temperature: float
    strength: float
    validation_accuracy: float
    hidden: tuple[np.ndarray, np.ndarray] | None = None
    special: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return what a head's file holds, by name."""
        linear = {"weights": self.weights, "bias": self.bias}
        if self.hidden is None:
            return linear
        return linear | {"hidden": self.hidden[0], "hidden_bias": self.hidden[1]}

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the logits float32 `(B, L)` before the temperature."""
        return np.asarray(embeddings.astype(np.float32) @ self.weights + self.bias)

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, float32 `(B, L)`."""
        return softmax(self.logits(embeddings) / np.float32(self.temperature))


def fit_head(
    embeddings: np.ndarray,
    labels: Sequence[str],
    splits: Sequence[str],
    progress: Progress | None = None,
) -> Fit:
    """Fit a head on embeddings `(N, D)` with their labels and splits; rows of `test` are not used.

    Strength and temperature are those of `select`; then the head is fitted again on training and
    validation rows together. Raises TrainingError.
    """
    chosen = select(embeddings, labels, splits, progress)
    both = np.isin(np.asarray(splits), ("train", "validation"))
    final = _fit(embeddings[both], np.asarray(labels)[both], chosen.strength)
    if progress:
        progress(len(STRENGTHS) + 1, len(STRENGTHS) + 1)
    return replace(chosen, labels=final.labels, weights=final.weights, bias=final.bias)


def select(
    embeddings: np.ndarray,
    labels: Sequence[str],
    splits: Sequence[str],
    progress: Progress | None = None,
) -> Fit:
    """Fit heads on the training rows alone; return the best on the validation rows, calibrated.

    Raises TrainingError.
    """
    label, split = np.asarray(labels), np.asarray(splits)
    train, validation = split == "train", split == "validation"
    _check(label, train, validation)
    best: Fit | None = None
    for n, strength in enumerate(STRENGTHS):
        if progress:
            progress(n, len(STRENGTHS) + 1)
        fit = _fit(embeddings[train], label[train], strength)
        fit = replace(
            fit, validation_accuracy=agreement(fit, embeddings[validation], label[validation])
        )
        # Of equals the most regular.
        if best is None or fit.validation_accuracy > best.validation_accuracy:
            best = fit
    assert best is not None
    if progress:
        progress(len(STRENGTHS), len(STRENGTHS) + 1)
    temperature = _temperature(best, embeddings[validation], label[validation])
    return replace(best, temperature=temperature)


def agreement(fit: Fit, embeddings: np.ndarray, label: np.ndarray) -> float:
    """Return the share of embeddings `(B, D)` to which the head gives their label `(B,)`."""
    answers = np.array(fit.labels)[fit.logits(embeddings).argmax(axis=1)]
    return float(np.mean(answers == label))


def _check(label: np.ndarray, train: np.ndarray, validation: np.ndarray) -> None:
    known = sorted(set(label[train].tolist()))
    if len(known) < 2:
        raise TrainingError(
            f"a classifier needs two labels at least; the training articles have {known or 'none'}"
        )
    if not validation.any():
        raise TrainingError("the dataset has no validation articles to calibrate on")


def _fit(embeddings: np.ndarray, label: np.ndarray, strength: float) -> Fit:
    model = LogisticRegression(C=strength, max_iter=ITERATIONS)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Stopped early is still a head; its evaluation says how good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(embeddings.astype(np.float64), label)
    weights, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn gives one column, the log-odds of the second
        weights, bias = np.hstack([-weights / 2, weights / 2]), np.array([-bias[0], bias[0]]) / 2
    return Fit(
        [str(name) for name in model.classes_],
        np.ascontiguousarray(weights, dtype=np.float32),
        np.asarray(bias, dtype=np.float32),
        1.0,
        strength,
        0.0,
    )


def _temperature(fit: Fit, embeddings: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature of least cross-entropy on these rows (Guo et al., 2017), 4 digits."""
    index = {name: n for n, name in enumerate(fit.labels)}
    known = np.array([name in index for name in label.tolist()])
    if not known.any():
        return 1.0
    truth = np.array([index[name] for name in label[known].tolist()])
    return fit_temperature(fit.logits(embeddings[known]), truth)
