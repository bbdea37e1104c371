"""The same text gives the same vector, whatever runs the encoder and whoever stands beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml import artifact
from ml.artifact import ArtifactError
from ml.datasets import load_dataset
from ml.embedder import Embedder
from ml.runtimes import allowed_threads


@pytest.fixture(scope="module")
def encoder(assets: Path) -> Path:
    return artifact.encoder_path(assets, artifact.find_encoder(assets, "minilm-l6").id)


@pytest.fixture(scope="module")
def embedder(encoder: Path) -> Embedder:
    return Embedder(encoder, runtime="openvino", precision="f32")


@pytest.fixture(scope="module")
def texts(assets: Path) -> list[str]:
    """Twenty articles of many lengths: empty, a word, a headline, longer than the window."""
    _, rows = load_dataset(assets, artifact.find_dataset(assets, "r8").id)
    return ["", "oil", "Rohöl 上涨 \U0001f4c8", "crude " * 2000, *(r.text for r in rows[:16])]


def test_openvino_agrees_with_tensorflow(
    encoder: Path, embedder: Embedder, texts: list[str]
) -> None:
    reference, cut = Embedder(encoder, runtime="tensorflow", precision="f32").embed(texts)
    vectors, cut_too = embedder.embed(texts)
    assert cut == cut_too
    a, b = reference.astype(np.float64), vectors.astype(np.float64)
    cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert len(cosines) == 20
    assert cosines.min() > 0.9999


def test_a_vector_does_not_depend_on_its_neighbours(embedder: Embedder, texts: list[str]) -> None:
    together, _ = embedder.embed(texts)
    backwards, _ = embedder.embed(texts[::-1])
    alone = np.vstack([embedder.embed([text])[0] for text in texts])
    np.testing.assert_array_equal(backwards[::-1], together)
    np.testing.assert_array_equal(alone, together)


def test_vectors_are_of_length_one(embedder: Embedder, texts: list[str]) -> None:
    vectors, _ = embedder.embed(texts)
    assert vectors.shape == (20, 384)
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=2e-3)


def test_only_a_text_beyond_the_window_is_cut_off(embedder: Embedder) -> None:
    _, cut = embedder.embed(["", "Oil rose.", "crude " * 2000])
    assert cut == [False, False, True]


def test_equal_texts_are_encoded_once(embedder: Embedder) -> None:
    before = embedder.tokens
    vectors, _ = embedder.embed(["Oil rose."] * 5)
    assert embedder.tokens - before == 5  # [CLS] oil rose . [SEP]
    assert vectors.shape == (5, 384)
    assert len(np.unique(vectors, axis=0)) == 1


STRANGE = {
    "nothing": "",
    "one token": "oil",
    "512 tokens": "oil " * 510,
    "200,000 tokens": "oil " * 200_000,
    "emoji": "\U0001f4c8\U0001f1e9\U0001f1ea\u2764\ufe0f" * 40,
    "right to left": "\u0627\u0631\u062a\u0641\u0639\u062a \u0627\u0644\u0623\u0633\u0639\u0627\u0631 \u202e\u05e9\u05dc\u05d5\u05dd",
    "control characters": "\x00\x01\x07\x1b[31moil\x7f\u2028\u200b\ufeff",
    "one word of 50,000 characters": "x" * 50_000,
    "50,000 combining marks": "e" + "\u0301" * 50_000,
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_a_strange_text_has_a_vector_like_any_other(embedder: Embedder, text: str) -> None:
    vectors, _ = embedder.embed([text, "Oil prices rose."])
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=2e-3)
    plain, _ = embedder.embed(["Oil prices rose."])
    np.testing.assert_array_equal(vectors[1], plain[0])


def test_no_texts_have_no_vectors(embedder: Embedder) -> None:
    vectors, cut = embedder.embed([])
    assert (vectors.shape, cut) == ((0, 384), [])


def test_a_similar_story_is_nearer_than_another(embedder: Embedder) -> None:
    vectors, _ = embedder.embed(
        ["Crude oil prices rose sharply", "Petroleum became dearer", "The choir sang in church"]
    )
    same, other = vectors.astype(np.float32)[0] @ vectors.astype(np.float32)[1:].T
    assert same > other + 0.2


def test_a_fingerprint_names_precision_and_runtime(encoder: Path, embedder: Embedder) -> None:
    assert len(embedder.fingerprint) == 32
    assert Embedder(encoder, "openvino", "f32").fingerprint == embedder.fingerprint
    assert Embedder(encoder, "openvino", "bf16").fingerprint != embedder.fingerprint


def test_tensorflow_in_bf16_is_refused(encoder: Path) -> None:
    with pytest.raises(ArtifactError, match="computes in f32; got precision bf16"):
        Embedder(encoder, runtime="tensorflow", precision="bf16")


@pytest.mark.parametrize(
    ("quota", "threads"), [("max 100000", None), ("50000 100000", 1), ("100000 100000", 1)]
)
def test_threads_are_what_the_cgroup_allows(
    tmp_path: Path, quota: str, threads: int | None
) -> None:
    everything = allowed_threads(tmp_path)
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert allowed_threads(tmp_path) == (threads or everything)
