"""Differentially private heads: the accounting, the clipping, and what an attacker sees."""

from __future__ import annotations

import numpy as np
import pytest

from ml.membership import membership_auc
from ml.privacy import CLIP, clip, epsilon_of, fit_private, noise_for
from ml.training import Fit, TrainingError, agreement


def two_sides(count: int) -> tuple[np.ndarray, list[str]]:
    """Return unit vectors float16 `(N, 8)` on two sides of a plane."""
    draw = np.random.default_rng(1)
    vectors = draw.standard_normal((count, 8))
    vectors[:, 0] = np.sign(vectors[:, 0]) * 2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16), ["up" if v > 0 else "down" for v in vectors[:, 0]]


def test_less_noise_is_a_larger_epsilon() -> None:
    assert epsilon_of(3.0, 1e-5) > epsilon_of(6.0, 1e-5) > epsilon_of(6.0, 1e-3)


def test_the_noise_stays_within_epsilon_and_hardly_above_what_it_needs() -> None:
    noise = noise_for(3.0, 1e-5)
    assert epsilon_of(noise, 1e-5) <= 3.0 < epsilon_of(noise * 0.99, 1e-5)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 1e-5), (-1.0, 1e-5), (3.0, 0.0), (3.0, 1.0)])
def test_what_is_no_privacy_is_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(TrainingError, match="epsilon must be over 0"):
        noise_for(epsilon, delta)


def test_a_private_head_learns_and_says_its_epsilon() -> None:
    vectors, labels = two_sides(4_000)
    fit = fit_private(vectors, labels, ["train"] * 4_000, 3.0, generator=np.random.default_rng(7))
    assert agreement(fit, vectors, np.array(labels)) > 0.97
    told = fit.notes["privacy"]
    assert 2.9 < told["epsilon"] <= 3.0
    assert (told["delta"], told["articles"]) == (1e-5, 4_000)


def test_no_article_weighs_more_than_the_clip() -> None:
    # Gradients of length 5 x 2 and 0.5 x 0.5: the first is cut to 0.5, the second is left alone.
    clipped = clip(np.array([[3.0, 4.0], [0.3, 0.4]]), np.array([2.0, 0.5]))
    np.testing.assert_allclose(clipped, [[0.15, 0.2], [0.3, 0.4]])
    assert CLIP == 0.5


def test_two_private_heads_differ_as_their_noise_does() -> None:
    vectors, labels = two_sides(200)
    one, other = (fit_private(vectors, labels, ["train"] * 200, 3.0) for _ in range(2))
    assert not np.array_equal(one.weights, other.weights)


def test_the_attack_counts_how_often_a_member_is_surer() -> None:
    fit = Fit(["a", "b"], np.array([[1.0, 0.0]]), np.zeros(2), 1.0, 0.0, 0.0)
    # Articles of label a are surer the larger their only part is.
    vectors = np.array([[4.0], [2.0], [3.0], [1.0], [9.0]])
    member = np.array([True, True, False, False, True])
    # Pairs: 4 beats 3 and 1, 2 beats 1 alone; the last has a label that the head does not know.
    assert membership_auc(fit, vectors, ["a", "a", "a", "a", "c"], member) == 0.75


def test_an_attack_without_others_is_refused() -> None:
    fit = Fit(["a", "b"], np.array([[1.0, 0.0]]), np.zeros(2), 1.0, 0.0, 0.0)
    with pytest.raises(TrainingError, match="articles of both kinds"):
        membership_auc(fit, np.array([[1.0]]), ["a"], np.array([True]))
