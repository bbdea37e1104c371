"""Which answers a near embedding may lead to."""

from __future__ import annotations

import pytest

from ml.messages import Subject
from stream.near_bounds import Bound

BOUND = Bound(window=256, similarity=0.8, confidence=0.9)


def subject(classifier: str, label: str | None, confidence: float, near: bool = True) -> Subject:
    return Subject(
        classifier=classifier,
        label=label,
        confidence=confidence,
        decision="review",
        model="topic@1+0000",
        encoder="tiny+0000",
        embedding="near" if near else None,
    )


@pytest.mark.parametrize(
    ("subjects", "allowed"),
    [
        ([subject("topic", "earn", 0.9)], True),
        ([subject("topic", "earn", 0.89)], False),
        ([subject("topic", "earn", 0.99), subject("region", "asia", 0.5)], False),
        ([subject("topic", "earn", 0.99), subject("topic", "acq", 0.99)], False),
        ([subject("topic", None, 0.95)], False),
        ([subject("topic", "earn", 0.99), subject("chinese", None, 0.0, near=False)], True),
        ([subject("chinese", None, 0.0, near=False)], False),
        ([], False),
    ],
)
def test_every_classifier_must_be_sure_of_one_label(subjects: list[Subject], allowed: bool) -> None:
    assert BOUND.allows(subjects) is allowed
