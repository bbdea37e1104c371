"""Figures against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml import evaluation

# Confidences 0.9, 0.8, 0.7, 0.6; right, right, wrong, right.
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
TRUTH = np.array([0, 1, 1, 0])
LABELS = ["earn", "acq"]


def test_every_figure_of_four_articles() -> None:
    figures = evaluation.evaluate(TRUTH, SCORES, LABELS)
    assert figures == {
        "articles": 4,
        "accuracy": 0.75,
        "macro_f1": pytest.approx((4 / 5 + 2 / 3) / 2),
        "micro_f1": 0.75,
        # Each in a bin of its own: (0.1 + 0.2 + 0.7 + 0.4) / 4.
        "ece": pytest.approx(0.35),
        "accepted": 0.5,
        "labels": {
            "earn": {
                "precision": 2 / 3,
                "recall": 1.0,
                "f1": pytest.approx(4 / 5),
                "support": 2,
                "answered": 3,
            },
            "acq": {
                "precision": 1.0,
                "recall": 0.5,
                "f1": pytest.approx(2 / 3),
                "support": 2,
                "answered": 1,
            },
        },
    }


def test_an_unknown_label_is_always_wrong() -> None:
    truth = np.array([-1, 0])
    predicted = np.array([0, 0])
    assert evaluation.accuracy(truth, predicted) == 0.5
    assert evaluation.per_label(truth, predicted, ["earn"])["earn"]["precision"] == 0.5


def test_a_label_that_never_occurs_is_not_averaged() -> None:
    here = np.array([0, 1])
    assert evaluation.macro_f1(here, here, ["earn", "acq", "grain"]) == 1.0


def test_sure_and_right_is_perfectly_calibrated() -> None:
    assert evaluation.ece(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]])) == 0.0


def test_answers_of_one_bin_may_make_up_for_each_other() -> None:
    # Confidence 0.5 twice, one of them right.
    assert evaluation.ece(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])) == 0.0


@pytest.mark.parametrize(
    ("goal", "threshold"),
    [(1.0, 0.8), (0.76, 0.8), (0.75, 0.6), (0.5, 0.6)],
)
def test_the_operating_point_accepts_most_at_the_goal(goal: float, threshold: float) -> None:
    assert evaluation.operating_point(TRUTH, SCORES, goal) == pytest.approx(threshold, abs=1e-6)


def test_equal_confidences_are_accepted_together_or_not_at_all() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.1]])
    assert evaluation.operating_point(np.array([0, 1]), scores, goal=0.9) is None


def test_a_head_that_is_always_wrong_accepts_nothing() -> None:
    figures = evaluation.evaluate(1 - SCORES.argmax(axis=1), SCORES, LABELS)
    assert (figures["accepted"], figures["accuracy"]) == (0.0, 0.0)
    assert evaluation.operating_point(1 - SCORES.argmax(axis=1), SCORES) is None


def judged(accuracy: float, **recalls: float) -> dict[str, Any]:
    return {"accuracy": accuracy, "labels": {k: {"recall": v} for k, v in recalls.items()}}


def test_without_a_champion_everything_may_be_deployed() -> None:
    assert evaluation.gate(judged(0.1, earn=0.1), None, 0.005) == (True, [])


def test_a_candidate_within_the_margin_may_be_deployed() -> None:
    champion = judged(0.75, earn=0.7)
    assert evaluation.gate(judged(0.5, earn=0.7), champion, 0.25) == (True, [])


def test_a_candidate_beyond_the_margin_is_refused_with_both_figures() -> None:
    assert evaluation.gate(judged(0.9449, earn=0.9), judged(0.95, earn=0.9), 0.005) == (
        False,
        [
            "accuracy 0.9449 is below 0.9450 (the champion's 0.9500 less the margin 0.005)",
        ],
    )


def test_a_candidate_that_forgot_a_label_is_refused() -> None:
    champion = judged(0.9, earn=0.9, grain=0.5, ship=0.0)
    assert evaluation.gate(judged(0.95, earn=1.0), champion, 0.005) == (
        False,
        ["it does not know grain, which the champion answers"],
    )


def test_a_quantized_encoder_that_agrees_may_be_deployed() -> None:
    twin = {"accuracy": 0.9475, "agreement": 0.99}
    assert evaluation.gate_twin(twin, {"accuracy": 0.95}) == []


def test_a_quantized_encoder_that_disagrees_is_refused_however_accurate() -> None:
    twin = {"accuracy": 0.96, "agreement": 0.9899}
    assert evaluation.gate_twin(twin, {"accuracy": 0.95}) == [
        "it agrees with the unquantized encoder on 0.9899 of the articles, below 0.99"
    ]


def test_a_quantized_encoder_that_loses_accuracy_is_refused() -> None:
    twin = {"accuracy": 0.945, "agreement": 0.995}
    assert evaluation.gate_twin(twin, {"accuracy": 0.95}) == [
        "accuracy 0.9450 is 0.0050 below the unquantized encoder's; 0.003 is allowed"
    ]
