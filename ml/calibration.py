"""Making probabilities mean what they say: a temperature, or isotonic regression after it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from ml.evaluation_calibration import ece
from ml.probabilities import apply_isotonic, sigmoid, softmax

TEMPERATURES = (0.05, 20.0)  # bounds of the search; a fit at either end is no calibration
FOLDS = 5
KNOT_DIGITS = 6

Isotonic = list[list[float]]
"""Knots `[[p, ...], [calibrated p, ...]]`; empty: none."""


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Return the temperature of least cross-entropy (Guo et al., 2017), 4 digits.

    `logits` are `(N, L)`; `truth` is the label of each row, int `(N,)`, or, for a head of several
    labels, which of them it has, bool `(N, L)`.
    """
    exact = logits.astype(np.float64)
    several = truth.ndim == 2
    sign = np.where(truth, 1.0, -1.0) if several else None

    def loss(log_temperature: float) -> float:
        scaled = exact / np.exp(log_temperature)
        if sign is not None:
            return float(np.logaddexp(0, -sign * scaled).mean())
        scores = softmax(scaled)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(scores, 1e-12)).mean())

    low, high = TEMPERATURES
    found = minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def fit_isotonic(claims: np.ndarray, held: np.ndarray) -> Isotonic:
    """Return the knots of the rising function nearest to what came true.

    `claims` are probabilities `(N,)`, `held` bool `(N,)`.
    """
    fitted = IsotonicRegression(y_min=0, y_max=1).fit(claims.astype(np.float64), held)
    p = np.round(fitted.X_thresholds_, KNOT_DIGITS)
    calibrated = np.round(fitted.y_thresholds_, KNOT_DIGITS)
    distinct = np.append(np.diff(p) > 0, True)  # of claims equal after rounding the last
    return [p[distinct].tolist(), calibrated[distinct].tolist()]


def choose_isotonic(logits: np.ndarray, truth: np.ndarray, temperature: float) -> Isotonic:
    """Return isotonic knots where they calibrate better than the temperature alone, else none.

    Arguments as for `fit_temperature`. Better is a smaller expected calibration error on rows that
    neither was fitted on, over 5 folds.
    """
    folds = np.arange(len(logits)) % FOLDS
    plain: list[np.ndarray] = []
    bent: list[np.ndarray] = []
    came_true: list[np.ndarray] = []
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        claims, held = _claims(logits[outside], truth[outside], temperature)
        known, known_held = _claims(logits[inside], truth[inside], temperature)
        knots = fit_isotonic(known.ravel(), known_held.ravel())
        plain.append(claims)
        bent.append(apply_isotonic(np.array(knots[0]), np.array(knots[1]), claims))
        came_true.append(held)
    together: Callable[[list[np.ndarray]], np.ndarray] = np.concatenate
    held = together(came_true)
    if ece(together(bent), held) >= ece(together(plain), held):
        return []
    return isotonic_of(logits, truth, temperature)


def isotonic_of(logits: np.ndarray, truth: np.ndarray, temperature: float) -> Isotonic:
    """Return the isotonic knots of these logits' claims; arguments as for `fit_temperature`."""
    claims, held = _claims(logits, truth, temperature)
    return fit_isotonic(claims.ravel(), held.ravel())


def _claims(
    logits: np.ndarray, truth: np.ndarray, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities `(N, K)` and which came true: of the best label alone, or of each."""
    if truth.ndim == 2:
        return sigmoid(logits / temperature), truth
    scores = softmax(logits / temperature)
    held = scores.argmax(axis=1) == truth
    return scores.max(axis=1)[:, None], held[:, None]
