"""Bootstrap intervals: the same each time, as wide as theory says, and narrow where nothing varies."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation import Answers
from ml.evaluation_intervals import (
    f1_intervals,
    interval,
    resampled,
    share_interval,
    weights,
)

LABELS = ["earn", "acq"]


def answers(right: int, wrong: int) -> Answers:
    """Return articles of which so many are answered right."""
    scores = np.array([[0.9, 0.1]] * (right + wrong))
    return Answers.single(["earn"] * right + ["acq"] * wrong, scores, LABELS)


def test_a_resample_draws_as_many_articles_as_there_are() -> None:
    blocks = list(weights(7))
    assert sum(len(block) for block in blocks) == 1_000
    assert {float(row.sum()) for block in blocks for row in block} == {7.0}


def test_the_interval_of_an_accuracy_is_that_of_its_binomial() -> None:
    low, high = interval(resampled(answers(900, 100))["accuracy"])
    # 0.9 +- 1.96 sqrt(0.9 x 0.1 / 1000) = 0.8814 to 0.9186
    assert [low, high] == pytest.approx([0.8814, 0.9186], abs=0.002)


def test_equal_answers_have_equal_intervals() -> None:
    first, second = resampled(answers(30, 3)), resampled(answers(30, 3))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_head_that_is_always_right_has_no_spread() -> None:
    found = resampled(answers(20, 0))
    assert interval(found["accuracy"]) == (1.0, 1.0)
    assert interval(found["macro_f1"]) == (1.0, 1.0)
    assert f1_intervals(answers(20, 0), found) == {"earn": (1.0, 1.0)}


def test_the_difference_of_a_head_with_itself_is_nothing() -> None:
    mine = resampled(answers(90, 10))["accuracy"]
    assert interval(mine - resampled(answers(90, 10))["accuracy"]) == (0.0, 0.0)


def test_the_calibration_error_is_resampled_too() -> None:
    # Confidence 0.9, 0.9 right: no error, but a sample may have one.
    low, high = interval(resampled(answers(900, 100))["ece"])
    assert 0.0 <= low < 0.002
    assert 0.015 < high < 0.025


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Wilson (1927); the first two are the textbook's.
    [(81, 263, 0.2553, 0.3662), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_a_small_share_has_wilsons_interval(
    hits: int, trials: int, low: float, high: float
) -> None:
    assert list(share_interval(hits, trials)) == pytest.approx([low, high], abs=1e-4)
