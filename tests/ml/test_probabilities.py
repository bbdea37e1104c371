"""Probabilities of logits, worked out by hand."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from ml.artifact import ArtifactError, ModelManifest
from ml.head import Head
from ml.probabilities import Probabilities, sigmoid, softmax

PLAIN = ModelManifest(
    classifier="topic",
    encoder="minilm-l6+17e1",
    labels=["oil", "crude", "grain"],
    languages=["en"],
    temperature=1.0,
    threshold=0.75,
    dataset="reuters90+33abca7c",
    created_at="2026-03-01T12:00:00.000Z",
)
SEVERAL = msgspec.structs.replace(PLAIN, kind="multilabel", thresholds=[0.5, 0.5, 0.5])


def test_huge_logits_are_still_probabilities() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e4, 0.0]], np.float32)), [[1.0, 0.0]])
    np.testing.assert_array_equal(sigmoid(np.array([1e4, -1e4, 0.0], np.float32)), [1.0, 0.0, 0.5])


def test_labels_of_a_head_of_several_do_not_share_their_probability() -> None:
    logits = np.array([[math.log(3), math.log(3), 0.0]], np.float32)
    np.testing.assert_allclose(Probabilities(SEVERAL)(logits), [[0.75, 0.75, 0.5]], atol=1e-6)


def test_a_part_lifts_the_whole() -> None:
    manifest = msgspec.structs.replace(SEVERAL, tree={"crude": "oil"})
    logits = np.array([[0.0, math.log(3), 0.0]], np.float32)
    np.testing.assert_allclose(Probabilities(manifest)(logits), [[0.75, 0.75, 0.5]], atol=1e-6)


def test_isotonic_knots_are_joined_by_lines_that_rise() -> None:
    manifest = msgspec.structs.replace(SEVERAL, isotonic=[[0.25, 0.75], [0.1, 0.5]])
    logits = np.array([[0.0, math.log(3), math.log(9)]], np.float32)
    # 0.5 lies half way between the knots, 0.75 on one; 0.9 beyond the last is above it all the same.
    np.testing.assert_allclose(
        Probabilities(manifest)(logits),
        [[0.999 * 0.3 + 0.0005, 0.999 * 0.5 + 0.00075, 0.999 * 0.5 + 0.0009]],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("manifest", "change", "reason"),
    [
        (SEVERAL, {"thresholds": [0.5]}, "3 labels, but 1 thresholds"),
        (PLAIN, {"thresholds": [0.5, 0.5, 0.5]}, "belong to a head of several labels"),
        (SEVERAL, {"tree": {"crude": "energy"}}, "the label tree names energy"),
        (SEVERAL, {"tree": {"oil": "crude", "crude": "oil"}}, "a circle"),
        (PLAIN, {"isotonic": [[0.0, 1.0]]}, "two lists of one length"),
        (PLAIN, {"isotonic": [[0.0, 0.0], [0.1, 0.2]]}, "must rise"),
        (PLAIN, {"isotonic": [[0.0, 1.0], [0.2, 0.1]]}, "must rise"),
        (PLAIN, {"isotonic": [[0.0, math.nan], [0.1, 0.2]]}, "must rise"),
        (PLAIN, {"isotonic": [[0.0, 2.0], [0.1, 0.2]]}, "within 0 to 1"),
    ],
)
def test_a_version_that_contradicts_itself_is_refused(
    manifest: ModelManifest, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(ArtifactError, match=reason):
        Head(
            msgspec.structs.replace(manifest, **change),
            np.zeros((4, 3), np.float32),
            np.zeros(3, np.float32),
        )
