"""Heads of several labels on embeddings whose labels are planted."""

from __future__ import annotations

import numpy as np
import pytest

from ml import perceptron
from ml.multilabel import Linear, choose_thresholds, fit_labels, indicators, micro_f1
from ml.perceptron import Perceptron
from ml.training import TrainingError


def planted(count: int) -> tuple[np.ndarray, list[list[str]]]:
    """Return unit vectors float16 `(N, 8)`, and the labels that stand in their first parts."""
    draw = np.random.default_rng(3)
    marks = draw.random((count, 3)) < 0.4
    vectors = np.hstack([marks * 2.0 - 1, draw.standard_normal((count, 5)) * 0.3])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = ("grain", "ship", "wheat")
    return vectors.astype(np.float16), [
        [name for name, has in zip(names, row, strict=True) if has] for row in marks
    ]


def given(fitted: object, vectors: np.ndarray) -> np.ndarray:
    """Return which labels a fit gives, before its temperature: logits over 0."""
    assert isinstance(fitted, Linear | Perceptron)
    return np.asarray(fitted.logits(vectors) > 0)


def test_planted_labels_are_learned_each_for_itself() -> None:
    vectors, labels = planted(400)
    fit = fit_labels(vectors, labels, ["train"] * 300 + ["validation"] * 100, layers=1)
    assert fit.labels == ["grain", "ship", "wheat"]
    assert fit.validation_f1 > 0.99
    fresh = given(Linear(fit.weights, fit.bias), vectors.astype(np.float32))
    assert micro_f1(fresh, indicators(labels, fit.labels)) > 0.99


def test_rows_of_the_test_split_are_never_read() -> None:
    vectors, labels = planted(200)
    splits = ["train"] * 150 + ["test"] * 50
    spoiled = [*labels[:150], *[["unheard"]] * 50]
    one = fit_labels(vectors, labels, splits, layers=1)
    other = fit_labels(vectors, spoiled, splits, layers=1)
    assert other.labels == one.labels
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.thresholds == other.thresholds


def test_an_article_has_the_ancestors_of_its_labels() -> None:
    vectors, labels = planted(200)
    tree = {"wheat": "grain", "barley": "grain"}
    fit = fit_labels(vectors, labels, ["train"] * 200, tree, layers=1)
    assert fit.tree == {"wheat": "grain"}  # nothing is known of barley
    either = [bool({"grain", "wheat"} & {*own}) for own in labels]
    grain = given(Linear(fit.weights, fit.bias), vectors.astype(np.float32))[:, 0]
    assert np.mean(grain == np.array(either)) > 0.95


def test_a_second_layer_is_taken_where_one_plane_is_not_enough() -> None:
    draw = np.random.default_rng(4)
    vectors = np.sign(draw.standard_normal((400, 8)))
    labels = [["odd"] if a * b > 0 else ["even"] for a, b in vectors[:, :2]]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    fit = fit_labels(vectors.astype(np.float16), labels, ["train"] * 400)
    assert fit.hidden is not None
    assert fit.hidden.shape == (8, 2 * perceptron.HIDDEN)
    assert fit.validation_f1 > 0.8  # of a coin toss: 0.5


def test_thresholds_make_the_most_of_hits_and_answers() -> None:
    draw = np.random.default_rng(6)
    truth = draw.random((500, 2)) < (0.5, 0.1)
    # The second label is underrated: its articles have 0.3, all others 0.1.
    probabilities = np.where(truth, (0.8, 0.3), 0.1)
    thresholds = choose_thresholds(probabilities, truth)
    np.testing.assert_allclose(thresholds, [0.45, 0.2])
    assert micro_f1(probabilities >= thresholds, truth) == 1.0


def test_a_label_of_few_articles_takes_the_common_threshold() -> None:
    probabilities = np.array([[0.9, 0.3], [0.9, 0.1], [0.1, 0.1], [0.9, 0.1]] * 4)
    truth = np.array([[1, 0], [1, 0], [0, 0], [1, 0]] * 4, bool)
    truth[1, 1] = True
    assert choose_thresholds(probabilities, truth)[1] == 0.9


def test_micro_f1_counts_all_decisions_together() -> None:
    truth = np.array([[1, 1, 0], [0, 1, 0]], bool)
    guess = np.array([[1, 0, 0], [0, 1, 1]], bool)
    assert micro_f1(guess, truth) == pytest.approx(2 * 2 / (3 + 3))


def test_one_label_alone_cannot_be_learned() -> None:
    with pytest.raises(TrainingError, match=r"two labels at least.*\['grain'\]"):
        fit_labels(np.ones((9, 4), np.float16), [["grain"]] * 9, ["train"] * 9)
