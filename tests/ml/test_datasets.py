"""Rows on disk: both formats, what they hold, and names that stay."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from ml.artifact import ArtifactError, DatasetManifest, dataset_path, save
from ml.datasets import ROWS_FILE, Row, load_dataset, save_dataset

PLAIN = [
    Row("a", "Oil rises", "", ("crude",), "train"),
    Row("b", "", "Wheat falls", ("grain",), "test"),
]
FULL = [
    Row(
        "a", "Oil, wheat", "", ("crude", "grain"), "train", "en", "Reuters", "1987-02-26T15:01:01Z"
    ),
    Row("b", "Nothing of note", "", (), "test"),
    Row("c", "油价上涨", "", ("crude",), "test", language="zh"),
]


def test_a_row_of_one_label_is_stored_as_it_always_was(home: Path) -> None:
    manifest = save_dataset(home, "news", PLAIN, "a test", ["en"])

    stored = gzip.decompress((dataset_path(home, manifest.id) / ROWS_FILE).read_bytes())
    assert stored == (
        b'{"uri":"a","title":"Oil rises","body":"","label":"crude","split":"train"}\n'
        b'{"uri":"b","title":"","body":"Wheat falls","label":"grain","split":"test"}\n'
    )
    assert (manifest.id, manifest.format, manifest.multilabel) == ("news+36d32917", 1, False)


def test_several_labels_none_and_what_is_known_of_an_article_come_back(home: Path) -> None:
    manifest = save_dataset(home, "news", FULL, "a test", ["en", "zh"])

    assert load_dataset(home, manifest.id) == (manifest, FULL)
    assert (manifest.format, manifest.multilabel) == (2, True)
    assert manifest.labels == {
        "crude": {"train": 1, "validation": 0, "test": 1},
        "grain": {"train": 1, "validation": 0, "test": 0},
    }
    assert manifest.rows == {"train": 1, "validation": 0, "test": 2}


@pytest.mark.parametrize("row", FULL[:2])
def test_what_has_not_one_label_has_no_label(row: Row) -> None:
    with pytest.raises(ValueError, match=rf"{row.uri} has {len(row.labels)} labels, not one"):
        _ = row.label


def test_a_text_in_place_of_labels_is_refused() -> None:
    with pytest.raises(TypeError, match="labels of a: expected a tuple, got 'crude'"):
        Row("a", "Oil", "", "crude", "train")  # type: ignore[arg-type]  # the mistake is the point


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"uri":"a","title":"","body":"b","split":"train"}', "a must have either label or labels"),
        ('{"uri":"a","title":"","body":"b","label":"x","labels":["y"],"split":"train"}', "either"),
        ('{"uri":"a","title":"","body":"b","label":"x","split":"unused"}', "Invalid enum value"),
    ],
)
def test_a_line_that_is_no_row_is_refused(home: Path, line: str, says: str) -> None:
    manifest = DatasetManifest(
        name="news",
        rows={"train": 1},
        labels={"x": {"train": 1}},
        rows_sha256="0" * 64,
        languages=["en"],
        source="a test",
        created_at="2026-01-01T00:00:00Z",
    )
    saved = save(home, manifest, {ROWS_FILE: gzip.compress(line.encode())})

    with pytest.raises(ArtifactError, match=f"not rows.*{says}"):
        load_dataset(home, saved.id)


def test_a_version_of_a_later_format_is_refused_by_its_number(home: Path) -> None:
    manifest = save_dataset(home, "news", PLAIN, "a test", ["en"])
    file = dataset_path(home, manifest.id) / "manifest.json"
    file.chmod(0o644)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, format=9)))

    with pytest.raises(ArtifactError, match="rows of format 9; this release reads up to 2"):
        load_dataset(home, manifest.id)
