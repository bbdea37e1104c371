"""Labelled articles from a file: both forms, splits, and mistakes named by their lines."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ml.artifact import ArtifactError
from ml.dataset_files import add_dataset, read_rows
from ml.datasets import Row, load_dataset

TITLES = [f"Headline number {n}" for n in range(200)]


def test_json_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text(
        '{"title": "油价上涨", "label": "finance", "id": "a", "split": "dev", "keywords": [1]}\n'
        "\n"
        '{"text": "A late goal", "label": " sports "}\n'
        '{"title": "Rain", "body": "Trains stand.", "label": 7, "split": "test"}\n'
    )

    assert read_rows(file, "news") == [
        Row("a", "油价上涨", "", ("finance",), "validation"),
        Row("news:3", "", "A late goal", ("sports",), "train"),
        Row("news:4", "Rain", "Trains stand.", ("7",), "test"),
    ]


def test_csv_is_read_also_compressed_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "news.csv.gz"
    file.write_bytes(
        gzip.compress('\ufefflabel,text\nfinance,"Oil, and\ngas"\nsports,Goal\n'.encode())
    )

    assert read_rows(file, "news") == [
        Row("news:2", "", "Oil, and\ngas", ("finance",), "train"),
        Row("news:4", "", "Goal", ("sports",), "train"),
    ]


def test_without_splits_a_fifth_is_the_test_split_and_stays_so(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "news.jsonl"
    lines = [json.dumps({"text": t, "label": "ab"[n % 2]}) for n, t in enumerate(TITLES)]
    file.write_text("\n".join(lines[:150]))
    few = add_dataset(home, file, "news", ["en"])
    file.write_text("\n".join(lines))
    many = add_dataset(home, file, "news", ["en"])

    assert few.rows == {"train": 120, "validation": 5, "test": 25}
    assert many.rows == {"train": 155, "validation": 8, "test": 37}
    _, before = load_dataset(home, few.id)
    _, after = load_dataset(home, many.id)
    assert after[:150] == before


def test_what_is_wrong_is_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text(
        '{"text": "one", "label": "x", "uri": "a"}\n'
        '{"text": "two"}\n'
        "{not json}\n"
        '{"text": "  ", "label": "x"}\n'
        '{"text": "three", "label": "x", "uri": "a"}\n'
        '{"text": "four", "label": "x", "split": "dress rehearsal"}\n'
        '{"text": ["five"], "label": "x"}\n'
        '["six"]\n'
        '{"text": "\\ud800", "label": "x"}\n'
    )

    with pytest.raises(ArtifactError) as refused:
        read_rows(file, "news")

    assert str(refused.value).removeprefix(f"{file}: ").split("; ") == [
        "line 2: label is missing",
        "line 3: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        "line 4: text is missing",
        "line 5: uri 'a' stands in line 1 already",
        "line 6: split 'dress rehearsal': expected train, validation or test",
        "line 7: text must be a text, got list",
        "line 8: expected an object with label and text",
        "line 9: text holds half a character (a lone surrogate)",
    ]


def test_of_many_mistakes_the_first_ten_are_named(tmp_path: Path) -> None:
    file = tmp_path / "news.csv"
    file.write_text("label,text\n" + "x\n" * 25)

    with pytest.raises(ArtifactError) as refused:
        read_rows(file, "news")

    said = str(refused.value).removeprefix(f"{file}: ").split("; ")
    assert said[0] == "line 2: expected 2 columns"
    assert said[9:] == ["line 11: expected 2 columns", "and 15 more"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.parquet", b"PAR1", r"expected \.csv or \.jsonl, or either with \.gz"),
        ("a.jsonl", b"", "no rows"),
        ("a.jsonl", b"\xff\xfe", "cannot be read"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
        ("a.csv", b'label,text\nx,"open', "cannot be read"),
        ("a.jsonl", b'{"text": "a", "label": "x", "split": "test"}', "no row of the split 'train'"),
        (
            "a.csv",
            b"label,text,split\nx,a,train\nx,b,test\n",
            "one label alone cannot be learned",
        ),
    ],
)
def test_a_file_that_is_no_dataset_is_refused(
    tmp_path: Path, home: Path, name: str, content: bytes, says: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(ArtifactError, match=f"{name}: {says}"):
        add_dataset(home, file, "news", ["en"])
    assert not home.exists()


@pytest.mark.parametrize("name", ["../news", "News", "", "a/b"])
def test_a_name_that_leaves_its_folder_is_refused(tmp_path: Path, home: Path, name: str) -> None:
    file = tmp_path / "news.csv"
    file.write_text("label,text\nx,a\ny,b\n")

    with pytest.raises(ArtifactError, match="is no name of a dataset"):
        add_dataset(home, file, name, ["en"])
