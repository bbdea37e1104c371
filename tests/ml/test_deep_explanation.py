"""An explanation goes through a head's hidden layer as its answer does."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ml import artifact
from ml.artifact import ModelManifest
from ml.attribution import TOLERANCE
from ml.explanation import Explainer
from ml.head import HEAD_FILE


@pytest.fixture
def model(assets: Path, home: Path) -> str:
    """A head of two labels and 16 features, of random weights."""
    artifact.install(assets, home)
    encoder = artifact.find_encoder(home, "minilm-l6")
    draw = np.random.default_rng(8)
    tensors = {
        "hidden": draw.standard_normal((encoder.width, 16)).astype(np.float32),
        "hidden_bias": draw.standard_normal(16).astype(np.float32),
        "weights": draw.standard_normal((16, 2)).astype(np.float32),
        "bias": np.array([0.5, -0.5], np.float32),
    }
    manifest = ModelManifest(
        classifier="deep",
        encoder=encoder.id,
        labels=["crude", "grain"],
        languages=["en"],
        temperature=2.0,
        threshold=None,
        dataset="r8",
        created_at="2026-03-01T12:00:00.000Z",
        kind="multilabel",
        thresholds=[0.5, 0.5],
    )
    files = {HEAD_FILE: artifact.write_tensors(tensors)}
    return artifact.save_model(home, manifest, files)[0].name


def test_the_words_sum_to_the_answer_behind_a_hidden_layer(home: Path, model: str) -> None:
    text = "Wheat exports rose after rain. Oil prices fell on Monday."
    explained = Explainer(home, precision="f32").explain(model, text, "", label="grain")
    odds = math.log(explained.confidence / (1 - explained.confidence))
    assert explained.log_odds == pytest.approx(odds, abs=1e-3)
    assert explained.completeness_error <= TOLERANCE
