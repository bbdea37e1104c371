"""The report on a dataset: literal rows, literal findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.artifact import ArtifactError, dataset_path
from ml.dataset_difference import LabelCount, Relabelled, difference
from ml.dataset_report import REPORT_FILE, Balance, Lengths, Times, read_report
from ml.dataset_survey import survey
from ml.datasets import Row, save_dataset
from ml.near_duplicates import near_duplicates

ROWS = [
    Row("1", "abc", "", ("x",), "train", "en", "Reuters", "1987-02-26T15:01:01Z"),
    Row("2", "abcde", "", ("x",), "train", "zh", "Reuters", "1987-02-28T15:01:01Z"),
    Row("3", "abcdefg", "", ("x", "y"), "train", source="AP"),
    Row("4", "abc", "", (), "train"),
    Row("5", "abcdefghi", "", ("x",), "test"),
]


def test_a_report_says_what_is_in_a_dataset() -> None:
    near = near_duplicates([row.text for row in ROWS])
    report = survey(ROWS, near, splits="given", languages=["en"], duplicates=7, notes=["hand made"])

    assert (report.articles, report.splits, report.duplicates) == (5, "given", 7)
    assert report.balance == Balance(
        labels=2,
        largest="x",
        largest_share=0.75,
        smallest="y",
        smallest_articles=1,
        evenness=0.811278,
        rare=["x", "y"],
        rare_below=10,
        labels_an_article=1.0,
        without_label=1,
    )
    assert report.lengths == {
        "train": Lengths(shortest=3, median=4, p95=7, longest=7),
        "test": Lengths(shortest=9, median=9, p95=9, longest=9),
    }
    assert report.languages == {"en": 4, "zh": 1}
    assert report.sources == {"Reuters": 2, "AP": 1}
    assert (report.contradictions, report.contradicting) == (1, ["1"])
    assert report.times == Times(
        dated=2, earliest="1987-02-26T15:01:01Z", latest="1987-02-28T15:01:01Z"
    )
    assert report.notes == ["hand made"]


def test_two_versions_are_compared_article_by_article(home: Path) -> None:
    later = [
        ROWS[0],
        Row("2", "abcde", "", ("y",), "train", "zh", "Reuters", "1987-02-28T15:01:01Z"),
        Row("3", "rewritten", "", ("x", "y"), "test", source="AP"),
        Row("6", "new", "", ("z",), "train"),
    ]
    before = save_dataset(home, "news", ROWS, "a test", ["en"])
    now = save_dataset(home, "news", later, "a test", ["en"])

    found = difference(before, ROWS, now, later)

    assert (found.before, found.now) == (before.id, now.id)
    assert (found.added, found.removed, found.unchanged) == (1, 2, 1)
    assert (found.rewritten, found.moved, found.relabelled) == (1, 1, 1)
    assert found.examples == [Relabelled("2", ("x",), ("y",))]
    assert found.labels == [
        LabelCount("x", 4, 2),
        LabelCount("y", 1, 2),
        LabelCount("z", 0, 1),
    ]


def test_a_version_without_report_has_none_and_a_broken_one_is_named(home: Path) -> None:
    manifest = save_dataset(home, "news", ROWS, "a test", ["en"])
    assert read_report(home, manifest.id) is None

    (dataset_path(home, manifest.id) / REPORT_FILE).write_text("{}")
    with pytest.raises(ArtifactError, match=r"report\.json: not a report"):
        read_report(home, manifest.id)
