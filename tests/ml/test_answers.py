"""Answers of heads whose probabilities are given."""

from __future__ import annotations

import msgspec
import numpy as np

from ml.answers import Answer, answers
from ml.artifact import ModelManifest
from ml.head import Head

PLAIN = ModelManifest(
    classifier="topic",
    encoder="minilm-l6+17e1",
    labels=["crude", "grain", "ship"],
    languages=["en"],
    temperature=1.0,
    threshold=0.75,
    dataset="reuters90+33abca7c",
    created_at="2026-03-01T12:00:00.000Z",
)
SEVERAL = msgspec.structs.replace(PLAIN, kind="multilabel", thresholds=[0.5, 0.25, 0.75])


def head(manifest: ModelManifest) -> Head:
    return Head(manifest, np.zeros((4, 3), np.float32), np.zeros(3, np.float32))


def test_a_plain_head_gives_its_best_label() -> None:
    scores = np.array([[0.125, 0.75, 0.125], [0.5, 0.25, 0.25]], np.float32)
    assert answers(head(PLAIN), scores) == [
        [Answer("grain", 0.75, "accept")],
        [Answer("crude", 0.5, "review")],
    ]


def test_a_head_may_abstain_when_it_is_not_certain() -> None:
    scores = np.array([[0.5, 0.25, 0.25], [0.625, 0.25, 0.125]], np.float32)
    assert answers(head(msgspec.structs.replace(PLAIN, abstain_below=0.625)), scores) == [
        [Answer(None, 0.5, "abstain")],
        [Answer("crude", 0.625, "review")],
    ]


def test_every_label_at_its_threshold_is_given_the_most_certain_first() -> None:
    scores = np.array([[0.5, 0.875, 0.5]], np.float32)
    assert answers(head(SEVERAL), scores) == [
        [Answer("grain", 0.875, "accept"), Answer("crude", 0.5, "review")]
    ]


def test_no_label_over_its_threshold_is_one_abstention() -> None:
    scores = np.array([[0.25, 0.125, 0.625]], np.float32)
    assert answers(head(SEVERAL), scores) == [[Answer(None, 0.625, "abstain")]]


def test_no_articles_have_no_answers() -> None:
    assert answers(head(SEVERAL), np.empty((0, 3), np.float32)) == []
