"""The jobs that train encoders, each on twenty articles: what they save, refuse and go on from."""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.artifact import encoder_path, find_encoder, read_tensors
from ml.job import FAMILIES
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, parse
from tests.ml.twenty_articles import stock

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 calls old.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def run(home: Path, job: str, **asked: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    """Run a job in this process; return its outcome and its events."""
    events = io.BytesIO()
    report = Report(events)
    order = {"job": job, "home": str(home), "precision": "f32", "dataset": "tiny", **asked}
    specification = parse(json.dumps(order).encode())
    try:
        outcome = importlib.import_module(FAMILIES[specification.job]).run(specification, report)
    finally:
        report.end({})
    return outcome, [json.loads(line) for line in events.getvalue().splitlines()]


@pytest.fixture(scope="module")
def home(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with minilm-l6, and twenty articles under the name `tiny`."""
    return stock(assets, tmp_path_factory.mktemp("encoders") / "home")


@pytest.fixture(scope="module")
def pretrained(home: Path) -> str:
    """The id of `seed`, pretrained on the sixteen texts that are not for testing."""
    outcome, events = run(home, "pretrain", training={"epochs": 3}, run="run-1", precision="bf16")
    assert outcome.encoder is not None
    losses = [row["loss"] for row in outcome.metrics["history"]]  # type: ignore[attr-defined]
    assert losses[0] > losses[1] > losses[2]
    assert {"event": "progress", "stage": "pretrain", "done": 3, "total": 3} in events
    assert [file.name[:19] for file in (home / "runs" / "run-1" / "events").iterdir()] == [
        "events.out.tfevents"
    ]
    assert list((home / "checkpoints").iterdir()) == []
    return outcome.encoder


@pytest.fixture(scope="module")
def tuned(home: Path, pretrained: str) -> Outcome:
    """`seed` fine-tuned to tell the two labels."""
    outcome, _ = run(
        home, "finetune", classifier="desk", encoder="seed", training={"epochs": 4, "window": 64}
    )
    return outcome


def test_a_fine_tuning_gives_a_new_encoder_and_a_model_on_it(
    home: Path, pretrained: str, tuned: Outcome
) -> None:
    assert tuned.model is not None
    assert tuned.encoder is not None
    manifest = find_encoder(home, tuned.encoder)
    assert (manifest.name, manifest.window, manifest.parents) == ("seed-tiny", 64, [pretrained])
    assert tuned.metrics["accuracy"] == 1.0
    before = read_tensors(encoder_path(home, pretrained) / "weights.safetensors")
    after = read_tensors(encoder_path(home, tuned.encoder) / "weights.safetensors")
    moved = [name for name in before if not np.array_equal(before[name], after[name])]
    assert len(moved) == len(before)


def test_the_same_fine_tuning_again_gives_the_same_weights(home: Path, tuned: Outcome) -> None:
    again, _ = run(
        home, "finetune", classifier="again", encoder="seed", training={"epochs": 4, "window": 64}
    )
    assert again.encoder is not None
    assert tuned.encoder is not None
    one, other = (find_encoder(home, encoder).files for encoder in (tuned.encoder, again.encoder))
    # The whole encoder only in processes of their own: OpenVINO numbers what one process names.
    assert one["weights.safetensors"] == other["weights.safetensors"]


def test_a_pruned_encoder_has_exactly_the_share_of_zeros_asked_for(
    home: Path, tuned: Outcome
) -> None:
    outcome, _ = run(
        home,
        "compress",
        classifier="desk",
        encoder=tuned.encoder,
        training={"method": "prune", "pruned": 0.75, "epochs": 3},
    )
    assert outcome.encoder is not None
    assert outcome.encoder.startswith("seed-tiny-pruned75+")
    weights = read_tensors(encoder_path(home, outcome.encoder) / "weights.safetensors")
    kernels = {name: w for name, w in weights.items() if name.endswith("/kernel")}
    assert len(kernels) == 12
    assert {float((w == 0).mean()) for w in kernels.values()} == {0.75}
    assert outcome.metrics["packed_bytes"] < outcome.metrics["packed_parent_bytes"]  # type: ignore[operator]


def test_an_encoder_distilled_from_minilm_is_faster_and_agrees(home: Path, pretrained: str) -> None:
    outcome, _ = run(
        home,
        "compress",
        classifier="distilled",
        encoder="minilm-l6",
        training={"method": "distill", "epochs": 3},
    )
    assert outcome.encoder is not None
    manifest = find_encoder(home, outcome.encoder)
    assert manifest.name == "seed-distilled"
    assert manifest.parents == [find_encoder(home, "minilm-l6").id, pretrained]
    cosines = [row["validation"] for row in manifest.metrics["history"]]
    assert cosines[0] < cosines[-1]
    assert outcome.metrics["speedup"]["median"] > 1.5  # type: ignore[index]


def test_training_aware_of_int8_ends_in_int8(home: Path, tuned: Outcome) -> None:
    outcome, _ = run(
        home,
        "compress",
        classifier="desk",
        encoder=tuned.encoder,
        training={"method": "aware", "epochs": 1},
    )
    assert outcome.encoder is not None
    assert find_encoder(home, outcome.encoder).precision == "int8"


def test_what_cannot_be_trained_is_one_clear_error(home: Path) -> None:
    with pytest.raises(JobError, match="pretrain makes the encoder seed, not 'minilm-l6'"):
        run(home, "pretrain", encoder="minilm-l6")
    with pytest.raises(JobError, match="compress which encoder"):
        run(home, "compress")
    with pytest.raises(JobError, match=r"training.pruned must be 0 to 0.99, got 1"):
        run(home, "compress", training={"method": "prune", "pruned": 1})
