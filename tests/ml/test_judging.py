"""A job's report, as the job leaves it: a candidate that fails one language beside its champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ml import artifact, evaluation_report
from ml.datasets import Row, Split, save_dataset
from ml.evaluation_report import Evaluation, Flip
from ml.gate import gate_speed
from ml.jobs.judging import amend
from ml.jobs.specification import Specification
from tests.ml.test_job import job

STORIES = {
    "earn": "The bank says quarterly net profit rose to {} million dollars",
    "grain": "Farmers harvested {} thousand tonnes of wheat and maize",
}
OTHER = {"earn": "grain", "grain": "earn"}


def split_of(n: int) -> Split:
    return "test" if n % 5 in (0, 1) else "validation" if n % 5 == 2 else "train"


def rows(wrong: str | None = None) -> list[Row]:
    """Return 200 dated articles of two languages; `wrong` is whose training labels are swapped."""
    found = []
    for n in range(200):
        label, language = ("earn", "grain")[n % 2], "zh" if n >= 100 else "en"
        start = "港口 " if language == "zh" else ""
        text = start + STORIES[label].format(n)
        split = split_of(n)
        if language == wrong and split != "test":
            label = OTHER[label]
        day = f"2026-{1 + n // 28:02}-{1 + n % 28:02}T08:00:00Z"
        found.append(Row(f"urn:{n}", "", text, (label,), split, language, "Reuters", day))
    return found


@pytest.fixture(scope="module")
def home(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("judged") / "home"
    artifact.install(assets, home)
    save_dataset(home, "wire", rows(), "made up", ["en", "zh"])
    save_dataset(home, "swapped", rows("zh"), "made up", ["en", "zh"])
    return home


@pytest.fixture(scope="module")
def champion(home: Path) -> str:
    events, status = job(home, job="train", classifier="desk", dataset="wire", run="first")
    assert status == 0, events
    return str(events[-1]["model"])


@pytest.fixture(scope="module")
def refused(home: Path, champion: str) -> tuple[dict[str, Any], Evaluation]:
    """The result of a training on swapped labels, and its report."""
    asked = {"classifier": "desk", "dataset": "swapped", "champion": champion, "run": "second"}
    events, status = job(home, job="train", **asked)
    assert status == 0, events
    return events[-1], evaluation_report.read(home, "second")


def test_a_first_version_is_compared_with_nothing(home: Path, champion: str) -> None:
    found = evaluation_report.read(home, "first")
    assert (found.model, found.champion, found.run) == (champion, None, "first")
    assert (found.verdict.deployable, found.comparison, found.flips) == (True, None, [])
    assert found.figures["accuracy"].value == 1.0
    assert [d.name for d in found.dimensions] == ["language", "source", "length", "time"]
    assert found.notes == []


def test_a_training_by_time_uses_the_older_articles(home: Path, champion: str) -> None:
    found = evaluation_report.read(home, "first").time_ordered
    assert found is not None
    assert (found.train, found.test, found.since) == (160, 40, "2026-06-21T08:00:00Z")


def test_what_fails_one_language_is_refused_for_it(
    refused: tuple[dict[str, Any], Evaluation], champion: str
) -> None:
    outcome, found = refused
    assert outcome["deployable"] is False
    assert outcome["reasons"] == found.verdict.reasons
    named = [(refusal.what, refusal.name) for refusal in found.verdict.refusals]
    assert named[0] == ("overall", "accuracy")
    assert ("slice", "language zh") in named
    assert ("slice", "language en") not in named
    assert ("label", "earn") in named
    assert found.comparison is not None
    assert (found.comparison.champion, found.comparison.won) == (champion, 0)
    assert found.comparison.mid_p < 0.001


def test_its_flips_name_the_articles(refused: tuple[dict[str, Any], Evaluation]) -> None:
    found = refused[1]
    assert found.flips_total == len(found.flips)
    assert {int(flip.uri.removeprefix("urn:")) >= 100 for flip in found.flips} == {True}
    assert found.flips[0] == Flip(
        uri="urn:100",
        title="港口 The bank says quarterly net profit rose to 100 million dollars",
        before="earn",
        after="grain",
        truth="earn",
    )


def test_the_report_warns_that_the_champion_may_have_seen_the_articles(
    refused: tuple[dict[str, Any], Evaluation],
) -> None:
    assert len(refused[1].notes) == 1
    assert refused[1].notes[0].startswith("The champion was fitted on wire+")


def test_the_same_evaluation_gives_the_same_report(home: Path, champion: str) -> None:
    asked = {"job": "evaluate", "classifier": "desk", "model": champion, "dataset": "wire"}
    reports = []
    for run in ("third", "fourth"):
        _, status = job(home, **asked, run=run)
        assert status == 0
        found = evaluation_report.read(home, run)
        reports.append(msgspec.structs.replace(found, run=None, at=""))
    assert reports[0] == reports[1]


def test_what_a_job_finds_afterwards_is_in_its_report(home: Path, champion: str) -> None:
    asked = {"classifier": "desk", "model": champion, "dataset": "swapped", "run": "fifth"}
    _, status = job(home, job="evaluate", **asked)
    assert status == 0
    amend(Specification(job="compress", home=str(home), run="fifth"), gate_speed(0.97), 0.97)
    found = evaluation_report.read(home, "fifth")
    assert (found.verdict.deployable, found.speedup) == (False, 0.97)
    assert [refusal.what for refusal in found.verdict.refusals] == ["speed"]
    assert found.notes[0].startswith("This version was fitted on wire+")
