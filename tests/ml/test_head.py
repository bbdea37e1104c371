"""A head's probabilities and decisions against values worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ml import artifact
from ml.artifact import ArtifactError, ModelManifest
from ml.head import Head

MANIFEST = ModelManifest(
    classifier="topic",
    encoder="minilm-l6+17e1",
    labels=["acq", "earn"],
    languages=["en"],
    temperature=2.0,
    threshold=0.75,
    dataset="r8+33abca7c",
    created_at="2026-03-01T12:00:00.000Z",
)
# Logits of (1, 0) are (2 ln 3, 0): odds of 9 to 1, and of 3 to 1 at temperature 2.
WEIGHTS = np.array([[2 * math.log(3), 0.0], [0.0, 0.0]], np.float32)
BIAS = np.array([0.0, 0.0], np.float32)


def test_the_temperature_divides_the_logits() -> None:
    scores = Head(MANIFEST, WEIGHTS, BIAS).scores(np.array([[1, 0], [0, 1]], np.float16))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [[0.75, 0.25], [0.5, 0.5]], atol=1e-6)


def test_the_bias_counts_and_is_divided_too() -> None:
    bias = np.array([0.0, 2 * math.log(4)], np.float32)
    scores = Head(MANIFEST, WEIGHTS, bias).scores(np.array([[0, 1]], np.float16))
    np.testing.assert_allclose(scores, [[0.2, 0.8]], atol=1e-6)


def test_no_articles_have_no_scores() -> None:
    assert Head(MANIFEST, WEIGHTS, BIAS).scores(np.empty((0, 2), np.float16)).shape == (0, 2)


@pytest.mark.parametrize(
    ("threshold", "confidence", "decision"),
    [(0.75, 0.75, "accept"), (0.75, 0.7499, "review"), (None, 1.0, "review")],
)
def test_the_threshold_itself_is_accepted(
    threshold: float | None, confidence: float, decision: str
) -> None:
    manifest = msgspec.structs.replace(MANIFEST, threshold=threshold)
    assert Head(manifest, WEIGHTS, BIAS).decide(confidence) == decision


@pytest.mark.parametrize(
    ("change", "weights", "bias", "reason"),
    [
        ({"labels": ["acq"]}, WEIGHTS, BIAS, "1 labels, but weights"),
        ({}, WEIGHTS, BIAS[:1], "2 labels, but weights"),
        ({}, WEIGHTS[0], BIAS, "2 labels, but weights"),
        ({"labels": []}, WEIGHTS, BIAS, "expected 1 to 100000 labels, got 0"),
        ({"temperature": 0.0}, WEIGHTS, BIAS, "temperature 0.0 is not over 0"),
        ({"temperature": float("nan")}, WEIGHTS, BIAS, "temperature nan is not over 0"),
    ],
)
def test_a_head_that_does_not_fit_its_manifest_is_refused(
    change: dict[str, object], weights: np.ndarray, bias: np.ndarray, reason: str
) -> None:
    with pytest.raises(ArtifactError, match=reason):
        Head(msgspec.structs.replace(MANIFEST, **change), weights, bias)


def test_a_saved_head_answers_as_before(home: Path) -> None:
    tensors = artifact.write_tensors({"weights": WEIGHTS, "bias": BIAS})
    manifest, _ = artifact.save_model(home, MANIFEST, {"head.safetensors": tensors})
    head = Head.load(artifact.model_path(home, manifest.name))
    assert head.width == 2
    np.testing.assert_allclose(
        head.scores(np.array([[1, 0]], np.float16)), [[0.75, 0.25]], atol=1e-6
    )


def test_a_model_without_its_bias_is_refused(home: Path) -> None:
    tensors = artifact.write_tensors({"weights": WEIGHTS})
    manifest, _ = artifact.save_model(home, MANIFEST, {"head.safetensors": tensors})
    with pytest.raises(ArtifactError, match=r"expected bias, weights; got \['weights'\]"):
        Head.load(artifact.model_path(home, manifest.name))


# Features of (1, 0) are (1, 0): the second is negative before it is cut.
HIDDEN = (np.array([[1.0, -1.0], [0.0, 0.5]], np.float32), np.array([0.0, 0.0], np.float32))


def test_a_second_layer_reads_features_that_are_not_negative() -> None:
    weights = np.array([[2 * math.log(9), 0.0], [0.0, 4 * math.log(4)]], np.float32)
    deep = Head(MANIFEST, weights, BIAS, HIDDEN)
    assert (deep.width, deep.is_linear) == (2, False)
    scores = deep.scores(np.array([[1, 0], [0, 1]], np.float16))
    # The second article's features are (0, 0.5).
    np.testing.assert_allclose(scores, [[0.9, 0.1], [0.2, 0.8]], atol=1e-4)


def test_a_head_of_two_layers_gives_the_same_bits_in_any_batch() -> None:
    draw = np.random.default_rng(5)
    embeddings = draw.standard_normal((33, 48))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    half = embeddings.astype(np.float16)
    hidden = draw.standard_normal((48, 40)).astype(np.float32), np.zeros(40, np.float32)
    deep = Head(MANIFEST, draw.standard_normal((40, 2)).astype(np.float32), BIAS, hidden)
    alone = np.concatenate([deep.scores(row[None]) for row in half])
    np.testing.assert_array_equal(deep.scores(half), alone)


def test_a_hidden_layer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"weights \(2, 2\) behind a hidden layer \(2, 3\)"):
        Head(MANIFEST, WEIGHTS, BIAS, (np.zeros((2, 3), np.float32), np.zeros(3, np.float32)))


def test_a_saved_head_of_two_layers_answers_as_before(home: Path) -> None:
    tensors = {"weights": WEIGHTS, "bias": BIAS, "hidden": HIDDEN[0], "hidden_bias": HIDDEN[1]}
    files = {"head.safetensors": artifact.write_tensors(tensors)}
    manifest, _ = artifact.save_model(home, MANIFEST, files)
    head = Head.load(artifact.model_path(home, manifest.name))
    np.testing.assert_allclose(
        head.scores(np.array([[1, 0]], np.float16)), [[0.75, 0.25]], atol=1e-6
    )
