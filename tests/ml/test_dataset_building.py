"""From rows to a version: copies, one story in one split, and what cannot be learned."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ml.artifact import ArtifactError, list_datasets
from ml.dataset_building import build_dataset, check_learnable, drop_copies
from ml.dataset_report import read_report
from ml.datasets import Row, Split, load_dataset

STORY = "the central bank left its main rate unchanged on thursday as most economists had expected"


def rows(count: int, label: str = "", split: Split = "train") -> list[Row]:
    """Rows whose texts have no word in common, labelled a and b in turn."""
    return [
        Row(f"{label}{n}", f"{label}t{n} u{n} v{n}", "", (label or "ab"[n % 2],), split)
        for n in range(count)
    ]


def test_copies_are_left_out_and_counted(home: Path) -> None:
    again = [msgspec.structs.replace(row, uri=f"again-{row.uri}") for row in rows(5)]

    built = build_dataset(home, "news", rows(60) + again, "a test", ["en"])

    assert built.report.duplicates == 5
    assert sum(built.manifest.rows.values()) == built.report.articles == 60


def test_a_copy_in_another_split_or_under_another_label_is_kept() -> None:
    one = Row("1", "Oil", "", ("a",), "train")
    kept = [
        one,
        Row("2", "Oil ", "", ("b",), "train"),
        Row("3", "", "Oil", ("a",), "test"),
    ]

    assert drop_copies([*kept, Row("4", "", " Oil", ("a",), "train")]) == kept


def test_one_story_stands_in_one_split(home: Path) -> None:
    versions = [
        Row(f"s{k}-{n}", f"report {k} {STORY} {k}", f"edition {n}", ("ab"[k % 2],), "train")
        for k in range(60)
        for n in range(3)
    ]
    # Sixty stories that differ in half of their words, three editions of each.
    versions = [
        msgspec.structs.replace(
            row, title=" ".join(f"{w}{row.uri.split('-')[0]}" for w in STORY.split())
        )
        for row in versions
    ]

    built = build_dataset(home, "news", versions, "a test", ["en"])

    _, saved = load_dataset(home, built.manifest.id)
    splits: dict[str, set[str]] = {}
    for row in saved:
        splits.setdefault(row.uri.split("-")[0], set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert built.manifest.rows["test"] >= 15
    assert (built.report.near.groups, built.report.near.articles) == (60, 180)
    assert built.report.leakage.articles == 0


def test_a_leak_of_given_splits_is_reported_and_not_mended(home: Path) -> None:
    given = [
        *rows(20),
        *rows(4, "a", "test"),
        Row("train-1", STORY, "", ("a",), "train"),
        Row("test-1", f"{STORY} today", "", ("a",), "test"),
    ]

    built = build_dataset(home, "news", given, "a test", ["en"], splits="given")

    assert built.report.leakage.articles == 1
    assert built.report.leakage.share == 0.2
    assert [(e.first, e.second) for e in built.report.leakage.examples] == [("test-1", "train-1")]
    assert built.manifest.rows["test"] == 5
    assert read_report(home, built.manifest.id) == built.report


def test_a_rare_label_is_trained_before_it_is_tested(home: Path) -> None:
    few = [row for n in range(30) for row in rows(1, f"rare{n}")]

    built = build_dataset(home, "news", [*rows(100), *few], "a test", ["en"])

    assert all(
        splits["train"] == 1 for name, splits in built.manifest.labels.items() if "rare" in name
    )


def test_the_same_rows_are_the_same_version(home: Path) -> None:
    first = build_dataset(home, "news", rows(60), "a test", ["en"]).manifest
    second = build_dataset(home, "news", rows(60), "another", ["en"]).manifest

    assert first.id == second.id
    assert len(list_datasets(home)) == 1


def test_drift_is_told_against_the_last_version(home: Path) -> None:
    first = build_dataset(home, "news", rows(60), "a test", ["en"])
    second = build_dataset(home, "news", [*rows(60), *rows(60, "c")], "a test", ["en"])

    assert first.report.drift is None
    drift = second.report.drift
    assert drift is not None
    assert (drift.since, drift.appeared, drift.gone) == (first.manifest.id, ["c"], [])
    assert (drift.articles_before, drift.articles_now) == (60, 120)
    assert drift.psi == pytest.approx(2.3490, abs=1e-4)
    assert drift.divergence == pytest.approx(0.2820, abs=1e-4)
    assert [move.label for move in drift.moved] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "no rows"),
        (rows(20)[:1] * 1, "no row of the split 'test'"),
        ([*rows(4, "a"), *rows(1, "a", "test")], "one label alone"),
        ([*rows(4), *rows(2, "c", "test")], r"no training article has the label 'c' \(test: c0\)"),
    ],
)
def test_what_cannot_be_learned_is_refused(given: list[Row], says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        check_learnable(given)


def test_two_articles_under_one_uri_are_refused(home: Path) -> None:
    twice = [*rows(20), Row("3", "another text", "", ("b",), "train")]

    with pytest.raises(
        ArtifactError, match="uri '3' stands for two articles, with different texts"
    ):
        build_dataset(home, "news", twice, "a test", ["en"])
    assert not home.exists()
