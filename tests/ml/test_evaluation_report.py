"""The report's file: whole or not there, and nowhere but in its run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml import evaluation_report
from ml.evaluation_report import (
    Confusion,
    Evaluation,
    Figure,
    Flip,
    Refusal,
    ReportError,
    Verdict,
)


def verdict(deployable: bool, refusals: list[Refusal]) -> Verdict:
    return Verdict(
        deployable=deployable,
        margin=0.005,
        allowance=0.05,
        least_support=10,
        least_articles=30,
        refusals=refusals,
    )


REPORT = Evaluation(
    model="topic@1+9f3c",
    encoder="minilm-l6+53aa",
    classifier="topic",
    dataset="r8+1a2b3c4d",
    champion=None,
    run="run-1",
    at="2026-11-24T10:00:00.000Z",
    articles=2,
    figures={"accuracy": Figure(value=0.5, low=0.0, high=1.0)},
    labels=[],
    confusion=Confusion(labels=[], counts=[], left_out=0),
    reliability=[],
    operating_points=[],
    comparison=None,
    dimensions=[],
    time_ordered=None,
    flips=[Flip(uri="urn:1", title="a", before="earn", after="acq", truth="acq")],
    flips_total=1,
    verdict=verdict(True, []),
    notes=[],
)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    file = evaluation_report.write(tmp_path, "run-1", REPORT)
    assert file == tmp_path / "runs" / "run-1" / "report.json"
    assert evaluation_report.read(tmp_path, "run-1") == REPORT
    assert [entry.name for entry in file.parent.iterdir()] == ["report.json"]


def test_a_flip_is_written_as_from_and_to(tmp_path: Path) -> None:
    text = evaluation_report.write(tmp_path, "run-1", REPORT).read_text()
    assert '"from": "earn"' in text
    assert '"to": "acq"' in text


@pytest.mark.parametrize("run", ["", "../models", "a/b", "..", "x" * 65, "a\n"])
def test_a_name_that_leaves_the_folder_is_no_run(tmp_path: Path, run: str) -> None:
    with pytest.raises(ReportError, match="is no run's id"):
        evaluation_report.write(tmp_path, run, REPORT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "no report"), ("{", "not a report"), ("[" * 100_000, "not a report")],
)
def test_a_missing_or_broken_report_is_one_clear_error(
    tmp_path: Path, content: str | None, text: str
) -> None:
    if content is not None:
        file = evaluation_report.report_path(tmp_path, "run-1")
        file.parent.mkdir(parents=True)
        file.write_text(content)
    with pytest.raises(ReportError, match=text):
        evaluation_report.read(tmp_path, "run-1")
