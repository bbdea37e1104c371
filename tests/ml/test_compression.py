"""An int8 twin on a small calibration: smaller, nearly the same, made once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.artifact import (
    ArtifactError,
    EncoderManifest,
    encoder_path,
    find_dataset,
    find_encoder,
    install,
    list_models,
)
from ml.compression import compare_speed, quantize
from ml.datasets import load_dataset
from ml.embedder import Embedder

TEXTS = 24  # enough to see the ranges; a real calibration takes 300


@pytest.fixture(scope="module")
def texts(assets: Path) -> list[str]:
    _, rows = load_dataset(assets, find_dataset(assets, "r8").id)
    return [row.text for row in rows[:TEXTS]]


@pytest.fixture(scope="module")
def stocked(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compression")
    install(assets, folder)
    return folder


@pytest.fixture(scope="module")
def twin(stocked: Path, texts: list[str]) -> EncoderManifest:
    return quantize(stocked, find_encoder(stocked, "minilm-l6"), texts, "a test")


def test_a_twin_names_its_parent_and_is_a_quarter_of_its_size(
    stocked: Path, twin: EncoderManifest
) -> None:
    assert twin.name == "minilm-l6-int8"
    assert twin.parents == [find_encoder(stocked, "minilm-l6").id]
    assert 0.2 < twin.metrics["bytes"] / twin.metrics["parent_bytes"] < 0.3


def test_a_twin_says_nearly_the_same_and_keeps_rows_apart(
    stocked: Path, twin: EncoderManifest, texts: list[str]
) -> None:
    parent = Embedder(encoder_path(stocked, twin.parents[0]))
    small = Embedder(encoder_path(stocked, twin.id))

    expected, got = parent.embed(texts)[0], small.embed(texts)[0]

    cosines = (expected.astype(np.float32) * got.astype(np.float32)).sum(axis=1)
    assert cosines.min() > 0.98
    assert small.fingerprint != parent.fingerprint
    assert (small.embed([texts[3]])[0][0] == got[3]).all()
    assert compare_speed(parent, small, texts[:8])["speedup"]["median"] > 0


def test_the_same_calibration_gives_the_twin_that_exists(
    stocked: Path, twin: EncoderManifest
) -> None:
    parent = find_encoder(stocked, "minilm-l6")

    assert quantize(stocked, parent, ["never read"], "a test") == twin


def test_an_int8_encoder_is_not_quantized_again(stocked: Path, twin: EncoderManifest) -> None:
    with pytest.raises(ArtifactError, match="cannot be quantized: no float32 IR"):
        quantize(stocked, twin, ["a text"], "a test")


def test_a_job_without_a_champion_is_one_clear_error(stocked: Path) -> None:
    order: dict[str, Any] = {"job": "quantize", "home": str(stocked), "dataset": "r8"}

    done = subprocess.run(
        [sys.executable, "-m", "ml.job"],
        input=json.dumps(order).encode(),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "event": "error",
        "text": "quantize needs a champion to compare with; train and deploy one first",
    }
    assert [m.number for m in list_models(stocked)] == [1]
