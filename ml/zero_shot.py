"""A head from label names and descriptions alone, and how it improves as labelled articles come.

The encoder places a description near the articles that it describes, so a scaled cosine between
the two is a first head. With labelled articles, logistic regression starts from that head and is
regularised towards it, not towards nothing: few articles move it a little, many replace it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from ml import text
from ml.calibration import fit_temperature
from ml.probabilities import softmax
from ml.training import Fit, TrainingError, agreement

TEMPLATES = (
    "{}",
    "{}.",
    "News about {}.",
    "This article is about {}.",
    "The topic of this news story is {}.",
)
SCALE = 5.0
"""Logit of a cosine of 1. With `STRENGTHS[0]` best of 5, 8, 10, 20 for 8 to 128 labels a class on
training articles of AG News; the order of the labels does not depend on it."""

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse strengths of the pull towards the descriptions; beyond the first chosen by validation."""

LEAST_VALIDATION = 50  # articles, to choose a strength and a temperature by
ITERATIONS = 300
CURVE = (0, 8, 32, 128)  # labelled articles a class
SEEDS = 3

Embed = Callable[[Sequence[str]], np.ndarray]
"""Embeddings `(N, D)` of normalised texts."""


def describe(embed: Embed, descriptions: Mapping[str, str]) -> np.ndarray:
    """Return a unit vector for every label, float32 `(L, D)`, in the order of the labels' names.

    It is the mean over the templates, of the label's name, its description and both. Raises
    TrainingError.
    """
    labels = sorted(descriptions)
    if len(labels) < 2:
        raise TrainingError(f"a classifier needs two labels at least, got {labels or 'none'}")
    if empty := [label for label in labels if not label.strip()]:
        raise TrainingError(f"{len(empty)} of the labels have no name")
    rows = []
    for label in labels:
        described = descriptions[label].strip()
        wordings = [label, described, f"{label}: {described}"] if described else [label]
        texts = [text.normalise(t.format(w)) for t in TEMPLATES for w in wordings]
        mean = embed(texts).astype(np.float32).mean(axis=0)
        rows.append(mean / np.linalg.norm(mean))
    return np.stack(rows)


def fit_zero_shot(labels: Sequence[str], directions: np.ndarray) -> Fit:
    """Return the head that the descriptions alone give; `directions` are `(L, D)`."""
    return Fit(
        labels=sorted(labels),
        weights=(SCALE * directions.T).astype(np.float32),
        bias=np.zeros(len(directions), np.float32),
        temperature=1.0,
        strength=0.0,
        validation_accuracy=0.0,
    )


def fit_towards(
    directions: np.ndarray,
    known: Sequence[str],
    embeddings: np.ndarray,
    labels: Sequence[str],
    splits: Sequence[str],
) -> Fit:
    """Fit a head near the descriptions' `directions` `(L, D)` on the articles of train and validation.

    `known` are the directions' labels. With too few validation articles the strength is the first
    and the temperature is left alone. Raises TrainingError where an article has another label.
    """
    start = fit_zero_shot(known, directions)
    split = np.asarray(splits)
    used = split != "test"
    if others := sorted({x for x, u in zip(labels, used, strict=True) if u} - set(start.labels)):
        raise TrainingError(
            f"the articles have labels without a description: {', '.join(others[:10])}"
        )
    place = {label: n for n, label in enumerate(start.labels)}
    truth = np.array([place.get(label, -1) for label in labels])
    train, validation = split == "train", split == "validation"
    if not used.any():
        return start
    with threadpool_limits(1):
        if validation.sum() < LEAST_VALIDATION or not train.any():
            return _pulled(start, embeddings[used], truth[used], STRENGTHS[0])
        name = np.asarray(labels)
        best: Fit | None = None
        for strength in STRENGTHS:
            fit = _pulled(start, embeddings[train], truth[train], strength)
            right = agreement(fit, embeddings[validation], name[validation])
            if best is None or right > best.validation_accuracy:
                best = replace(fit, validation_accuracy=right)
        assert best is not None
        logits = best.logits(embeddings[validation])
        return replace(
            _pulled(start, embeddings[used], truth[used], best.strength),
            temperature=fit_temperature(logits, truth[validation]),
            validation_accuracy=best.validation_accuracy,
        )


def learning_curve(
    directions: np.ndarray,
    known: Sequence[str],
    embeddings: np.ndarray,
    labels: Sequence[str],
    splits: Sequence[str],
) -> list[dict[str, Any]]:
    """Return the accuracy on the test split by labelled articles a class, drawn from the rest.

    Drawn with 3 seeds; a class with fewer articles gives all it has. Nothing is chosen by it.
    """
    start = fit_zero_shot(known, directions)
    label = np.asarray(labels)
    test = np.asarray(splits) == "test"
    points = []
    for count in CURVE:
        if count == 0:
            right = [agreement(start, embeddings[test], label[test])]
        else:
            right = []
            for seed in range(SEEDS):
                drawn = _draw(label, ~test, start.labels, count, seed)
                few = np.full(len(label), "test", object)
                few[drawn] = "train"
                fit = fit_towards(directions, known, embeddings, labels, few.tolist())
                right.append(agreement(fit, embeddings[test], label[test]))
        points.append(
            {
                "labels": count,
                "accuracy": round(float(np.mean(right)), 6),
                "least": round(min(right), 6),
                "most": round(max(right), 6),
            }
        )
    return points


def _draw(
    label: np.ndarray, allowed: np.ndarray, labels: Sequence[str], count: int, seed: int
) -> np.ndarray:
    """Return the places of `count` articles of each label."""
    draw = np.random.default_rng(seed)
    drawn = [draw.permutation(np.flatnonzero(allowed & (label == name)))[:count] for name in labels]
    return np.concatenate(drawn)


def _pulled(start: Fit, embeddings: np.ndarray, truth: np.ndarray, strength: float) -> Fit:
    """Fit with the squared distance to `start` as the penalty; `truth` are label places `(N,)`."""
    width, count = start.weights.shape
    inputs = embeddings.astype(np.float64)
    origin = np.vstack([start.weights, start.bias]).astype(np.float64)  # (D + 1, L)
    target = np.eye(count)[truth]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(width + 1, count)
        scores = softmax(inputs @ table[:-1] + table[-1])
        away = table - origin
        chosen = scores[np.arange(len(truth)), truth]
        value = -np.log(np.maximum(chosen, 1e-300)).sum() + 0.5 * (away * away).sum() / strength
        error = scores - target
        gradient = np.vstack([inputs.T @ error, error.sum(axis=0)]) + away / strength
        return float(value), gradient.ravel()

    options = {"maxiter": ITERATIONS}
    found = minimize(loss, origin.ravel(), jac=True, method="L-BFGS-B", options=options)
    table = found.x.reshape(width + 1, count).astype(np.float32)
    return replace(start, weights=table[:-1], bias=table[-1], strength=strength)
