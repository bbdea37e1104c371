"""Trainings that ask for more than a plain head, from specification to saved version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ml import artifact
from ml.answers import answers
from ml.artifact import ModelManifest
from ml.datasets import Row, Split, save_dataset
from ml.embedder import Embedder
from ml.head import Head
from ml.jobs.fitting import refuse_contradictions
from ml.jobs.specification import JobError, Specification, parse
from tests.ml.test_job import job

SPLITS: tuple[Split, ...] = ("train", "train", "train", "validation", "test")
STORIES = {
    "money": "The bank says quarterly net profit rose to {} million dollars",
    "grain": "Farmers harvested {} thousand tonnes of wheat and maize",
}


@pytest.fixture(scope="module")
def stocked(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `single`, of one label an article, and `several`, of none to two."""
    home = tmp_path_factory.mktemp("heads") / "home"
    artifact.install(assets, home)
    single, several = [], []
    for n in range(60):
        money, grain = STORIES["money"].format(n), STORIES["grain"].format(n)
        split = SPLITS[n % 5]
        single.append(Row(f"m{n}", "", money, ("money",), split))
        single.append(Row(f"g{n}", "", grain, ("grain",), split))
        both = (("money",), money), (("crop/grain",), grain), (("crop/grain", "money"), "")
        labels, text = both[n % 3]
        several.append(Row(f"s{n}", "", text or f"{money}. {grain}", labels, split))
    several.append(Row("nothing", "", "A late goal won the cup", (), "train"))
    save_dataset(home, "single", single, "made up", ["en"])
    save_dataset(home, "several", several, "made up", ["en"])
    return home


def manifest_of(home: Path, model: str) -> ModelManifest:
    return Head.load(artifact.model_path(home, model)).manifest


def test_articles_of_several_labels_make_a_head_of_several(stocked: Path) -> None:
    asked = {"classifier": "desks", "dataset": "several", "tree": "paths", "run": "several-1"}
    events, status = job(stocked, job="train", **asked)
    assert status == 0, events
    last = events[-1]
    head = Head.load(artifact.model_path(stocked, last["model"]))
    assert head.manifest.kind == "multilabel"
    assert head.manifest.labels == ["crop", "crop/grain", "money"]
    assert head.manifest.tree == {"crop/grain": "crop"}
    assert len(head.manifest.thresholds) == 3
    assert last["metrics"]["accuracy"] == 1.0  # ancestors are asked for as they are answered
    encoder = artifact.encoder_path(stocked, last["encoder"])
    text = f"{STORIES['money'].format(500)}. {STORIES['grain'].format(500)}"
    vectors, _ = Embedder(encoder, precision="f32").embed([text])
    (given,) = answers(head, head.scores(vectors))
    assert {answer.label for answer in given} == {"crop", "crop/grain", "money"}
    again, _ = job(stocked, job="train", **asked | {"run": "several-2"})
    assert (again[-1]["model"], again[-1]["unchanged"]) == (last["model"], True)


def test_descriptions_make_a_classifier_before_the_first_article(stocked: Path) -> None:
    described = {"money": "banks, profits and companies", "grain": "farming, wheat and harvests"}
    events, status = job(stocked, job="train", classifier="fresh", zero_shot=described)
    assert status == 0, events
    first = manifest_of(stocked, events[-1]["model"])
    assert (first.dataset, first.threshold, first.descriptions) == ("", None, described)
    # With articles it is fitted near the descriptions, and says what each number of them gives.
    asked = {"classifier": "fresh", "dataset": "single", "champion": first.name}
    events, status = job(stocked, job="refit", **asked)
    assert status == 0, events
    second = manifest_of(stocked, events[-1]["model"])
    assert second.descriptions == described
    assert [point["labels"] for point in second.metrics["learning_curve"]] == [0, 8, 32, 128]
    assert second.metrics["accuracy"] == 1.0


def test_a_private_head_has_its_epsilon_in_the_manifest(stocked: Path) -> None:
    asked = {"classifier": "private", "dataset": "single", "epsilon": 8.0, "delta": 1e-3}
    events, status = job(stocked, job="train", **asked)
    assert status == 0, events
    told = manifest_of(stocked, events[-1]["model"]).metrics["privacy"]
    assert told["epsilon"] <= 8.0
    assert (told["delta"], told["articles"]) == (1e-3, 96)
    assert 0 <= told["membership_auc"] <= 1


def test_isotonic_calibration_and_abstention_can_be_asked_for(stocked: Path) -> None:
    asked = {"dataset": "single", "calibration": "isotonic", "abstain_below": 0.6}
    events, status = job(stocked, job="train", classifier="careful", **asked)
    assert status == 0, events
    found = manifest_of(stocked, events[-1]["model"])
    assert found.abstain_below == 0.6
    assert len(found.isotonic) == 2
    # A refit keeps both without being asked.
    events, _ = job(stocked, job="refit", classifier="careful", champion=found.name)
    assert events[-1]["unchanged"] is True


def test_what_cannot_be_had_is_refused_and_leaves_nothing(stocked: Path) -> None:
    asked = {"dataset": "single", "zero_shot": {"money": "m", "sport": "s"}}
    events, status = job(stocked, job="train", classifier="refused", **asked)
    assert (status, events[-1]["event"]) == (1, "error")
    assert events[-1]["text"] == "the articles have labels without a description: grain"
    assert artifact.list_models(stocked, "refused") == []


@pytest.mark.parametrize(
    ("asked", "several", "reason"),
    [
        ({"epsilon": 3.0}, True, "private heads give one label"),
        ({"zero_shot": {"a": "b"}}, True, "descriptions make heads of one label"),
        ({"abstain_below": 0.5}, True, "abstains by its thresholds already"),
        ({"tree": {"grain": "crop"}}, False, "tree: only a head of several labels"),
        ({"zero_shot": {"a": "b"}, "epsilon": 3.0}, False, "cannot be had together"),
    ],
)
def test_things_that_do_not_go_together_are_refused(
    asked: dict[str, Any], several: bool, reason: str
) -> None:
    specification = Specification(job="train", home="/home", **asked)
    with pytest.raises(JobError, match=reason):
        refuse_contradictions(
            specification, several=several, descriptions=specification.zero_shot is not None
        )


def test_a_threshold_that_is_no_probability_is_refused() -> None:
    with pytest.raises(JobError, match=r"abstain_below must be between 0 and 1, got 1\.5"):
        parse(b'{"job": "train", "home": "/home", "abstain_below": 1.5}')
