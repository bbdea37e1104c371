"""Heads from descriptions, on an encoder of two directions: what is up and what is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ml.training import TrainingError, agreement
from ml.zero_shot import SCALE, describe, fit_towards, fit_zero_shot, learning_curve


def embed(texts: Sequence[str]) -> np.ndarray:
    """Return (1, 0) for texts that speak of a ball, else (0, 1)."""
    return np.array([[1, 0] if "ball" in text else [0, 1] for text in texts], np.float16)


def crowd(share: float) -> tuple[np.ndarray, list[str]]:
    """Return 400 unit vectors; `share` of the way to the right is where sport begins."""
    angles = np.linspace(0, np.pi / 2, 400)
    draw = np.random.default_rng(2)
    draw.shuffle(angles)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    return vectors, ["sport" if a < share * np.pi / 2 else "news" for a in angles]


def test_a_label_points_where_its_wordings_do() -> None:
    directions = describe(embed, {"sport": "ball games", "news": "what happened"})
    # Of name, description and both, two speak of a ball: (2, 1), shortened to length 1.
    np.testing.assert_allclose(directions, np.array([[0, 1], [2 / 5**0.5, 1 / 5**0.5]]), atol=1e-3)


def test_without_labelled_articles_the_nearest_description_wins() -> None:
    fit = fit_zero_shot(["news", "sport"], np.array([[0, 1], [1, 0]], np.float32))
    np.testing.assert_allclose(
        fit.logits(np.array([[0.75, 0.5]], np.float16)), [[0.5 * SCALE, 0.75 * SCALE]]
    )
    vectors, labels = crowd(0.5)
    assert agreement(fit, vectors, np.array(labels)) == 1.0


def test_labelled_articles_move_the_border_that_the_descriptions_drew() -> None:
    vectors, labels = crowd(0.8)
    directions = np.array([[0, 1], [1, 0]], np.float32)
    name = np.array(labels)
    before = agreement(fit_zero_shot(["news", "sport"], directions), vectors, name)
    splits = ["train"] * 200 + ["validation"] * 100 + ["test"] * 100
    fit = fit_towards(directions, ["news", "sport"], vectors, labels, splits)
    after = agreement(fit, vectors[300:], name[300:])
    assert before == pytest.approx(0.7, abs=0.01)
    assert after > 0.95


def test_articles_of_the_test_split_are_never_read() -> None:
    vectors, labels = crowd(0.8)
    directions = np.array([[0, 1], [1, 0]], np.float32)
    few = ["train"] * 40 + ["test"] * 360
    one = fit_towards(directions, ["news", "sport"], vectors, labels, few)
    spoiled = [*labels[:40], *["unheard"] * 360]
    other = fit_towards(directions, ["news", "sport"], vectors, spoiled, few)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_the_curve_begins_with_descriptions_alone() -> None:
    vectors, labels = crowd(0.8)
    directions = np.array([[0, 1], [1, 0]], np.float32)
    splits = ["train"] * 300 + ["test"] * 100
    curve = learning_curve(directions, ["news", "sport"], vectors, labels, splits)
    assert [point["labels"] for point in curve] == [0, 8, 32, 128]
    assert curve[0]["least"] == curve[0]["accuracy"] == curve[0]["most"]
    assert curve[3]["accuracy"] > curve[0]["accuracy"]


def test_a_label_without_a_description_is_named() -> None:
    vectors, labels = crowd(0.5)
    with pytest.raises(TrainingError, match="labels without a description: news"):
        fit_towards(
            np.eye(2, dtype=np.float32), ["sport", "weather"], vectors, labels, ["train"] * 400
        )


@pytest.mark.parametrize("descriptions", [{}, {"sport": "ball games"}])
def test_one_label_is_no_classifier(descriptions: dict[str, str]) -> None:
    with pytest.raises(TrainingError, match="two labels at least"):
        describe(embed, descriptions)
