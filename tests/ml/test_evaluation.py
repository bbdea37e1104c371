"""Figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ml import evaluation
from ml.evaluation import Answers

# Confidences 0.9, 0.8, 0.7, 0.6; right, right, wrong, right.
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
TRUTH = ["earn", "acq", "acq", "earn"]
LABELS = ["earn", "acq"]
FOUR = Answers.single(TRUTH, SCORES, LABELS)


def test_every_figure_of_four_articles() -> None:
    assert evaluation.evaluate(FOUR) == {
        "articles": 4,
        "accuracy": 0.75,
        "macro_f1": pytest.approx((4 / 5 + 2 / 3) / 2),
        "micro_f1": 0.75,
        # Each in a bin of its own: (0.1 + 0.2 + 0.7 + 0.4) / 4.
        "ece": pytest.approx(0.35),
        "accepted": 0.5,
        "threshold": pytest.approx(0.8),
        "operating_points": {
            "0.8": {"threshold": pytest.approx(0.8), "accepted": 0.5, "precision": 1.0},
            "0.9": {"threshold": pytest.approx(0.8), "accepted": 0.5, "precision": 1.0},
            "0.95": {"threshold": pytest.approx(0.8), "accepted": 0.5, "precision": 1.0},
            "0.99": {"threshold": pytest.approx(0.8), "accepted": 0.5, "precision": 1.0},
        },
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


def test_several_labels_an_article_are_right_only_together() -> None:
    truth = [["grain", "wheat"], ["grain"], [], ["ship"]]
    chosen = np.array([[True, True], [True, True], [False, False], [False, False]])
    scores = np.array([[0.9, 0.8], [0.9, 0.6], [0.2, 0.1], [0.3, 0.1]])
    answers = Answers.of(truth, scores, ["grain", "wheat"], chosen, several=True)
    figures = evaluation.evaluate(answers)
    assert answers.right.tolist() == [True, False, True, False]
    # 3 labels rightly given of 4 given and 4 true; grain 1, wheat 2/3, ship (unknown) 0.
    assert figures["micro_f1"] == pytest.approx(2 * 3 / (4 + 4))
    assert figures["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert [answers.said(n) for n in range(4)] == ["grain, wheat", "grain, wheat", "none", "none"]
    assert answers.true(3) == "ship"


def test_of_several_labels_each_is_accepted_by_itself() -> None:
    truth = [["grain", "wheat"], ["grain"], []]
    scores = np.array([[0.9, 0.8], [0.95, 0.6], [0.2, 0.1]])
    chosen = np.array([[True, True], [True, True], [False, False]])
    answers = Answers.of(truth, scores, ["grain", "wheat"], chosen, several=True)
    assert [found.tolist() for found in answers.given] == [
        [0.9, 0.8, 0.95, 0.6],
        [True, True, True, False],
    ]
    # 3 of 5 answers: four labels and one abstention.
    assert evaluation.operating_points(answers)["0.9"] == {
        "threshold": 0.8,
        "accepted": 0.6,
        "precision": 1.0,
    }
    assert evaluation.accepted(answers, 0.8).tolist() == [True, False, False]


def test_every_label_of_such_a_head_is_a_claim() -> None:
    scores = np.array([[0.9, 0.8]])
    chosen = np.array([[True, False]])
    answers = Answers.of([["grain"]], scores, ["grain", "wheat"], chosen, several=True)
    assert (answers.claims.tolist(), answers.held.tolist()) == ([[0.9, 0.8]], [[True, False]])


def test_an_abstention_is_not_right_and_no_answer_to_accept() -> None:
    scores = np.array([[0.9, 0.1], [0.6, 0.4]])
    chosen = np.array([[True, False], [False, False]])
    answers = Answers.of([["earn"], ["earn"]], scores, LABELS, chosen, several=False)
    assert (answers.right.tolist(), answers.abstained) == ([True, False], 1)
    assert evaluation.evaluate(answers)["accepted"] == 0.5
    # Its probability is a claim all the same.
    assert (answers.claims.tolist(), answers.held.tolist()) == ([[0.9], [0.6]], [[True], [True]])


def test_an_unknown_label_is_always_wrong() -> None:
    answers = Answers.single(["ship", "earn"], np.array([[1.0], [1.0]]), ["earn"])
    figures = evaluation.evaluate(answers)
    assert (figures["accuracy"], figures["labels"]["earn"]["precision"]) == (0.5, 0.5)
    assert figures["labels"]["ship"]["recall"] == 0.0
    assert (answers.labels, answers.known) == (["earn", "ship"], 1)


def test_a_label_that_never_occurs_is_not_averaged() -> None:
    answers = Answers.single(["earn"], np.array([[0.9, 0.05, 0.05]]), ["earn", "acq", "grain"])
    assert evaluation.macro_f1(answers) == 1.0


def test_the_confusion_matrix_counts_truth_by_row_and_answer_by_column() -> None:
    assert evaluation.confusion(FOUR).tolist() == [[2, 0], [1, 1]]


def test_a_missed_and_an_extra_label_are_confused() -> None:
    truth = [["grain", "wheat"]]
    chosen = np.array([[True, False, True]])
    answers = Answers.of(truth, np.ones((1, 3)), ["grain", "wheat", "corn"], chosen, several=True)
    assert evaluation.confusion(answers).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("goal", "threshold"),
    [(1.0, 0.8), (0.76, 0.8), (0.75, 0.6), (0.5, 0.6)],
)
def test_the_operating_point_accepts_most_at_the_goal(goal: float, threshold: float) -> None:
    found = evaluation.operating_point(*FOUR.given, goal)
    assert found == pytest.approx(threshold, abs=1e-6)


def test_equal_confidences_are_accepted_together_or_not_at_all() -> None:
    confidence, right = np.array([0.9, 0.9]), np.array([True, False])
    assert evaluation.operating_point(confidence, right, goal=0.9) is None


def test_a_head_that_is_always_wrong_accepts_nothing() -> None:
    figures = evaluation.evaluate(Answers.single(["acq", "earn", "acq", "acq"], SCORES, LABELS))
    assert (figures["accepted"], figures["accuracy"], figures["threshold"]) == (0.0, 0.0, None)
    assert figures["operating_points"]["0.8"] == {
        "threshold": None,
        "accepted": 0.0,
        "precision": None,
    }
