"""Fitting a head that gives any number of labels an article, each with a threshold of its own.

One-vs-rest logistic regression, all labels in one optimisation; a head of two layers where it is
clearly better. Strengths, calibration and thresholds come from out-of-fold answers to the training and
validation articles, so that none of them is chosen on what the head has learned by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from ml import hierarchy, perceptron
from ml.calibration import Isotonic, choose_isotonic, fit_temperature
from ml.perceptron import Perceptron
from ml.probabilities import apply_isotonic, sigmoid
from ml.training import Progress, TrainingError

STRENGTH = 10.0  # best of 3, 10, 30, 100 and 300 on Reuters-90 by cross-validation
ITERATIONS = 150  # twice as many change the micro-F1 by less than 0.001
FOLDS = 4
GAIN = 0.003  # of micro-F1, for which a second layer is worth its cost
LEAST_EXAMPLES = 5  # of a label, for a threshold of its own; others take the common one
ROUNDS = 5  # of threshold search; it settles after three
THRESHOLDS = (0.02, 0.98)  # an estimate from few articles is not trusted beyond


@dataclass(frozen=True)
class Labelling:
    """A fitted head of several labels; arrays float32.

    `weights` are `(D, L)`, or `(H, L)` behind the `hidden` layer `(D, H)`, `hidden_bias` `(H,)`.
    `validation_f1` is the micro-F1 of the out-of-fold answers.
    """

    labels: list[str]
    tree: dict[str, str]
    weights: np.ndarray
    bias: np.ndarray
    hidden: np.ndarray | None
    hidden_bias: np.ndarray | None
    temperature: float
    isotonic: Isotonic
    thresholds: list[float]
    validation_f1: float


def fit_labels(
    embeddings: np.ndarray,
    labels: Sequence[Collection[str]],
    splits: Sequence[str],
    tree: Mapping[str, str] | None = None,
    *,
    isotonic: bool = False,
    layers: int | None = None,
    progress: Progress | None = None,
) -> Labelling:
    """Fit on embeddings `(N, D)` and the labels of each; rows of `test` are not used.

    An article has the ancestors of its labels in `tree` too. `isotonic` allows that calibration
    where it is better, `layers` (1 or 2) forces a kind of head. Raises TrainingError.
    """
    tree = dict(tree or {})
    hierarchy.check(tree)
    used = np.isin(np.asarray(splits), ("train", "validation"))
    closed = [hierarchy.close(tree, own) for own, u in zip(labels, used, strict=True) if u]
    known = sorted({label for own in closed for label in own})
    if len(known) < 2:
        raise TrainingError(
            f"a classifier needs two labels at least; the training articles have {known or 'none'}"
        )
    if len(closed) < FOLDS * 2:
        raise TrainingError(f"expected {FOLDS * 2} training articles at least, got {len(closed)}")
    tree = {label: parent for label, parent in tree.items() if label in known}
    inputs, truth = embeddings[used].astype(np.float32), indicators(closed, known)
    edges = hierarchy.order(tree, known)
    kinds: tuple[int, ...] = (layers,) if layers else (1, 2)
    total, done = len(kinds) * FOLDS + 1, 0
    tried: dict[int, tuple[float, np.ndarray]] = {}
    with threadpool_limits(1):
        for kind in kinds:
            logits = np.zeros(truth.shape, np.float32)
            fold = np.random.default_rng(0).permutation(len(truth)) % FOLDS
            for out in range(FOLDS):
                if progress:
                    progress(done, total)
                fitted = _FITS[kind](inputs[fold != out], truth[fold != out])
                logits[fold == out] = fitted.logits(inputs[fold == out])
                done += 1
            probabilities = hierarchy.roll_up(edges, sigmoid(logits))
            thresholds = choose_thresholds(probabilities, truth)
            tried[kind] = micro_f1(probabilities >= thresholds, truth), logits
        kind = 2 if 2 in tried and (1 not in tried or tried[2][0] > tried[1][0] + GAIN) else 1
        validation_f1, logits = tried[kind]
        temperature = fit_temperature(logits, truth)
        knots = choose_isotonic(logits, truth, temperature) if isotonic else []
        final = _FITS[kind](inputs, truth)
    if progress:
        progress(total, total)
    probabilities = sigmoid(logits / np.float32(temperature))
    if knots:
        probabilities = apply_isotonic(np.array(knots[0]), np.array(knots[1]), probabilities)
    probabilities = hierarchy.roll_up(edges, probabilities)
    deep = final if isinstance(final, Perceptron) else None
    return Labelling(
        labels=known,
        tree=tree,
        weights=final.weights,
        bias=final.bias,
        hidden=deep.hidden if deep else None,
        hidden_bias=deep.hidden_bias if deep else None,
        temperature=temperature,
        isotonic=knots,
        thresholds=choose_thresholds(probabilities, truth).tolist(),
        validation_f1=validation_f1,
    )


@dataclass(frozen=True)
class Linear:
    """One logistic regression a label: `weights` float32 `(D, L)`, `bias` float32 `(L,)`."""

    weights: np.ndarray
    bias: np.ndarray

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the logits float32 `(B, L)` of embeddings `(B, D)`."""
        return np.asarray(embeddings @ self.weights + self.bias)


def fit_linear(embeddings: np.ndarray, truth: np.ndarray) -> Linear:
    """Fit one-vs-rest logistic regressions, L2-regularised, with LBFGS over all labels at once."""
    width, count = embeddings.shape[1], truth.shape[1]
    inputs = embeddings.astype(np.float32)
    sign = np.where(truth, np.float32(1), np.float32(-1))
    decay = np.float32(1 / STRENGTH)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(width + 1, count).astype(np.float32)
        weights, bias = table[:-1], table[-1]
        margin = sign * (inputs @ weights + bias)  # (N, L)
        small = np.exp(-np.abs(margin))
        value = (np.maximum(-margin, 0) + np.log1p(small)).sum(dtype=np.float64)
        value += 0.5 * float(decay) * float((weights * weights).sum(dtype=np.float64))
        back = -sign * np.where(margin >= 0, small, 1) / (1 + small)
        gradient = np.vstack([inputs.T @ back + decay * weights, back.sum(axis=0)])
        return float(value), gradient.astype(np.float64).ravel()

    start = np.zeros((width + 1) * count)
    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    table = found.x.reshape(width + 1, count).astype(np.float32)
    return Linear(table[:-1], table[-1])


_FITS: dict[int, Callable[[np.ndarray, np.ndarray], Linear | Perceptron]] = {
    1: fit_linear,
    2: perceptron.fit,
}


def choose_thresholds(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the least probability at which to give each label, float64 `(L,)`, for micro-F1.

    Both `(N, L)`. Of micro-F1 F, giving a label changes the sign of 2 hits - F answers (Dinkelbach,
    1967): with F held, every label's threshold is best on its own.
    """
    common, reached = _common(probabilities, truth)
    chosen = np.full(truth.shape[1], common)
    enough = np.flatnonzero(truth.sum(axis=0) >= LEAST_EXAMPLES)
    orders = {n: np.argsort(-probabilities[:, n], kind="stable") for n in enough.tolist()}
    for _ in range(ROUNDS):
        for n, order in orders.items():
            ranked, hits = probabilities[order, n], np.cumsum(truth[order, n])
            gains = 2 * hits - reached * np.arange(1, len(order) + 1)
            best = int(gains.argmax())
            if gains[best] > 0 and best + 1 < len(order):
                chosen[n] = (float(ranked[best]) + float(ranked[best + 1])) / 2
            else:
                chosen[n] = common
        chosen = np.round(np.clip(chosen, *THRESHOLDS), 6)
        reached = micro_f1(probabilities >= chosen, truth)
    return chosen


def _common(probabilities: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the best threshold for all labels alike, and its micro-F1."""
    order = np.argsort(-probabilities, axis=None, kind="stable")
    hits = np.cumsum(truth.ravel()[order])
    scores = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    best = int(scores.argmax())
    return float(probabilities.ravel()[order[best]]), float(scores[best])


def micro_f1(given: np.ndarray, truth: np.ndarray) -> float:
    """Return the F1 of all decisions together; both bool `(N, L)`."""
    both = int(given.sum()) + int(truth.sum())
    return 2 * int((given & truth).sum()) / both if both else 0.0


def indicators(labels: Sequence[Collection[str]], known: Sequence[str]) -> np.ndarray:
    """Return bool `(N, L)`: which article has which of the known labels."""
    place = {label: n for n, label in enumerate(known)}
    table = np.zeros((len(labels), len(known)), bool)
    for row, own in zip(table, labels, strict=True):
        row[[place[label] for label in own if label in place]] = True
    return table
