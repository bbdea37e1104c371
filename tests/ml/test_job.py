"""A job as its starter sees it: one specification in, JSON lines out, the last one the result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import ROOT
from ml import artifact
from ml.head import Head
from tests.ml.twenty_articles import stock


def job(home: Path, **asked: Any) -> tuple[list[dict[str, Any]], int]:
    """Run a job; return its events and exit status."""
    return talk(json.dumps({"home": str(home), "precision": "f32", **asked}).encode())


def talk(specification: bytes) -> tuple[list[dict[str, Any]], int]:
    done = subprocess.run(
        [sys.executable, "-m", "ml.job"],
        input=specification,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


@pytest.fixture(scope="module")
def stocked(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the encoder, and twenty articles under the name `tiny`."""
    return stock(assets, tmp_path_factory.mktemp("stocked") / "home")


@pytest.fixture(scope="module")
def trained(stocked: Path) -> list[dict[str, Any]]:
    """The events of a first training of the classifier `desk`."""
    events, status = job(stocked, job="train", classifier="desk", dataset="tiny", run="run-1")
    assert status == 0, events
    return events


def test_a_training_tells_its_progress_and_ends_with_its_model(
    stocked: Path, trained: list[dict[str, Any]]
) -> None:
    *before, last = trained
    assert {event["event"] for event in before} == {"progress", "metric", "log"}
    stages = {event["stage"]: event for event in before if event["event"] == "progress"}
    assert (stages["encode"]["done"], stages["encode"]["total"]) == (20, 20)
    assert stages["fit"]["done"] == stages["fit"]["total"]
    assert {"event": "metric", "name": "accuracy", "value": 1.0} in before
    assert last["event"] == "result"
    assert (last["unchanged"], last["deployable"], last["reasons"]) == (False, True, [])
    head = Head.load(artifact.model_path(stocked, last["model"]))
    assert (head.manifest.classifier, head.manifest.number) == ("desk", 1)
    assert head.manifest.labels == ["earn", "grain"]
    assert (head.manifest.run, head.manifest.encoder) == ("run-1", last["encoder"])


def test_the_same_training_again_changes_nothing(
    stocked: Path, trained: list[dict[str, Any]]
) -> None:
    events, status = job(stocked, job="train", classifier="desk", dataset="tiny", run="run-2")
    assert status == 0
    assert (events[-1]["model"], events[-1]["unchanged"]) == (trained[-1]["model"], True)
    assert len(artifact.list_models(stocked, "desk")) == 1


def test_a_refit_takes_dataset_and_encoder_from_the_champion(
    stocked: Path, trained: list[dict[str, Any]]
) -> None:
    model = trained[-1]["model"]
    events, status = job(stocked, job="refit", classifier="desk", champion=model)
    assert status == 0
    assert (events[-1]["model"], events[-1]["unchanged"]) == (model, True)
    assert {"event": "metric", "name": "champion_accuracy", "value": 1.0} in events


def test_an_evaluation_judges_what_is_there(stocked: Path, trained: list[dict[str, Any]]) -> None:
    events, status = job(stocked, job="evaluate", classifier="desk", model=trained[-1]["model"])
    assert status == 0
    assert events[-1]["metrics"]["articles"] == 4
    assert events[-1]["metrics"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"dataset": "r90"}, "there is no dataset 'r90'; known: r52, r8, tiny"),
        ({"dataset": "../r8+33abca7c"}, "is no dataset version"),
        ({}, "which dataset? Name one, or a champion whose dataset is used"),
        ({"dataset": "tiny", "encoder": "bert"}, "there is no encoder 'bert'; known: minilm-l6"),
        ({"dataset": "tiny", "champion": "desk@9+0000"}, "no such artifact"),
    ],
)
def test_what_cannot_be_trained_is_one_clear_error(
    stocked: Path, asked: dict[str, Any], text: str
) -> None:
    events, status = job(stocked, job="train", classifier="desk", **asked)
    assert status == 1
    assert events[-1]["event"] == "error"
    assert text in events[-1]["text"]


@pytest.mark.parametrize(
    ("specification", "text"),
    [
        (b"", "specification: "),
        (b'{"job":"dance","home":"/tmp"}', "specification: Invalid enum value 'dance'"),
        (b'{"job":"train","home":"here"}', "home must be an absolute path, got 'here'"),
        (b'{"job":"train","home":"/tmp","margin":2}', "margin must be 0 to 1, got 2"),
        (b'{"job":"train","home":"/tmp","colour":1}', "unknown field `colour`"),
    ],
)
def test_a_specification_that_is_none_is_one_clear_error(specification: bytes, text: str) -> None:
    events, status = talk(specification)
    assert status == 1
    assert events[-1]["event"] == "error"
    assert text in events[-1]["text"]
