"""The seed encoder: tokenizer trained here, random weights, saved, loaded and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.artifact import EncoderManifest, encoder_path, find_dataset
from ml.datasets import load_dataset
from ml.embedder import Embedder
from ml.seed import make_seed
from ml.tokenizer import Tokenizer

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 calls old.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def texts(assets: Path) -> list[str]:
    _, rows = load_dataset(assets, find_dataset(assets, "r8").id)
    return [row.text for row in rows if row.split == "train"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seed")


@pytest.fixture(scope="module")
def seed(home: Path, texts: list[str]) -> EncoderManifest:
    return make_seed(home, texts, ["en"])


def test_the_tokenizer_has_the_vocabulary_asked_for(home: Path, seed: EncoderManifest) -> None:
    tokenizer = Tokenizer.load(encoder_path(home, seed.id) / "tokenizer.json", seed.window)

    assert tokenizer.vocabulary == 10_000
    short, empty = tokenizer.encode(["Shares rose", ""])
    assert len(short.ids) == 4  # [CLS] shares rose [SEP]
    assert len(empty.ids) == 2


def test_both_runtimes_encode_alike(home: Path, seed: EncoderManifest, texts: list[str]) -> None:
    path = encoder_path(home, seed.id)

    one, _ = Embedder(path, "openvino", "f32").embed(texts[:8])
    other, _ = Embedder(path, "tensorflow", "f32").embed(texts[:8])

    assert one.shape == (8, 128)
    np.testing.assert_allclose(one.astype(float), other.astype(float), atol=1e-3)


def test_equal_texts_give_equal_weights_and_tokenizer(
    home: Path, seed: EncoderManifest, texts: list[str]
) -> None:
    again = make_seed(home, texts, ["en"])

    for name in ("weights.safetensors", "tokenizer.json", "encoder.bin"):
        assert again.files[name] == seed.files[name]
