"""McNemar's test on counts from the literature, and the articles whose answer changed."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation import Answers
from ml.evaluation_pairs import Pairs, flips, pairs
from ml.evaluation_report import Flip

LABELS = ["earn", "acq", "ship"]


def head(*said: str, truth: list[str]) -> Answers:
    scores = np.array([[0.9 if label == word else 0.05 for label in LABELS] for word in said])
    return Answers.single(truth, scores, LABELS)


@pytest.mark.parametrize(
    ("lost", "won", "exact", "mid", "worse"),
    [
        # Fagerland, Lydersen and Laake (2013), airway hyper-responsiveness: 1 and 7.
        (1, 7, 0.0703, 0.0391, 0.9805),
        (7, 1, 0.0703, 0.0391, 0.0195),
        (0, 0, 1.0, 1.0, 0.5),
        (5, 0, 0.0625, 0.03125, 0.015625),
        (10, 10, 1.0, 1.0, 0.5),
    ],
)
def test_mcnemar(lost: int, won: int, exact: float, mid: float, worse: float) -> None:
    found = Pairs(lost, won)
    assert found.exact_p == pytest.approx(exact, abs=1e-4)
    assert found.mid_p == pytest.approx(mid, abs=1e-4)
    assert found.worse_p == pytest.approx(worse, abs=1e-4)


def test_only_articles_that_one_alone_got_right_count() -> None:
    candidate = np.array([True, True, False, False, False])
    champion = np.array([True, False, True, True, False])
    assert pairs(candidate, champion) == Pairs(lost=2, won=1)


def test_lost_articles_come_first_then_those_won() -> None:
    truth = ["earn", "earn", "earn", "acq"]
    champion = head("earn", "acq", "ship", "acq", truth=truth)
    candidate = head("earn", "earn", "acq", "ship", truth=truth)
    found, total = flips(candidate, champion, ["urn:0", "urn:1", "urn:2", "urn:3"], list("abcd"))
    assert total == 3
    assert found == [
        Flip(uri="urn:3", title="d", before="acq", after="ship", truth="acq"),
        Flip(uri="urn:1", title="b", before="acq", after="earn", truth="earn"),
        Flip(uri="urn:2", title="c", before="ship", after="acq", truth="earn"),
    ]


def test_at_most_two_hundred_are_listed_and_all_are_counted() -> None:
    truth = ["earn"] * 300
    names = [str(n) for n in range(300)]
    found, total = flips(head(*["acq"] * 300, truth=truth), head(*truth, truth=truth), names, names)
    assert (len(found), total, found[-1].uri) == (200, 300, "199")
