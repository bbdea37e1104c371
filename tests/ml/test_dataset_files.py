"""Labelled articles from a file: both forms, splits, and mistakes named by their lines."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import fastparquet
import pandas
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
    few = add_dataset(home, file, "news", ["en"]).manifest
    file.write_text("\n".join(lines))
    many = add_dataset(home, file, "news", ["en"]).manifest

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
        "line 5: uri 'a' stands in line 1 already, with different texts",
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


@pytest.mark.parametrize("name", ["../news", "News", "", "a/b"])
def test_a_name_that_leaves_its_folder_is_refused(tmp_path: Path, home: Path, name: str) -> None:
    file = tmp_path / "news.csv"
    file.write_text("label,text\nx,a\ny,b\n")

    with pytest.raises(ArtifactError, match="is no name of a dataset"):
        add_dataset(home, file, name, ["en"])


def test_what_is_known_of_an_article_is_read_with_it(tmp_path: Path) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text(
        '{"uri": "a", "title": "Öl", "labels": ["grain", "crude", "grain"], "language": "de-AT", '
        '"source": "APA", "published_at": "1987-02-26T17:02:20.50+02:00"}\n'
        '{"uri": "b", "title": "Nothing", "labels": [], "published_at": "2018-02-28"}\n'
    )

    assert read_rows(file, "news") == [
        Row("a", "Öl", "", ("crude", "grain"), "train", "de", "APA", "1987-02-26T15:02:20.500Z"),
        Row("b", "Nothing", "", (), "train", None, None, "2018-02-28T00:00:00.000Z"),
    ]


def test_a_cell_of_csv_holds_several_labels(tmp_path: Path) -> None:
    file = tmp_path / "news.csv"
    file.write_text("labels,text\ngrain|crude,Oil and wheat\n")

    assert read_rows(file, "news") == [
        Row("news:2", "", "Oil and wheat", ("crude", "grain"), "train")
    ]


def test_ninjs_has_its_subjects_as_labels(tmp_path: Path) -> None:
    file = tmp_path / "news.json"
    items = [
        {
            "uri": "urn:1",
            "headline": "Oil rises",
            "body_xhtml": "<p>Crude &amp; gas.</p>",
            "language": "en-GB",
            "subject": [{"code": "04005000", "name": "energy"}, {"code": "04000000"}],
            "versioncreated": "2026-01-02T03:04:05Z",
        },
        {"uri": "urn:2", "headlines": [{"value": "A goal"}], "label": "sport", "subjects": []},
    ]
    file.write_text(json.dumps(items))

    assert read_rows(file, "news") == [
        Row(
            "urn:1",
            "Oil rises",
            "Crude & gas.",
            ("04000000", "energy"),
            "train",
            "en",
            None,
            "2026-01-02T03:04:05.000Z",
        ),
        Row("urn:2", "A goal", "", ("sport",), "train"),
    ]


def test_parquet_is_read_by_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "news.parquet"
    frame = pandas.DataFrame(
        {
            "title": ["Oil rises", "A late goal"],
            "label": ["crude", "sport"],
            "language": ["en", None],
            "published_at": pandas.to_datetime(["2026-01-02T03:04:05", None]),
            "payload": [b"\x00", b"\x01"],
        }
    )
    fastparquet.write(file, frame, compression="SNAPPY", row_group_offsets=[0, 1])

    assert read_rows(file, "news") == [
        Row("news:1", "Oil rises", "", ("crude",), "train", "en", None, "2026-01-02T03:04:05.000Z"),
        Row("news:2", "A late goal", "", ("sport",), "train"),
    ]


def test_an_archive_of_one_file_is_read_without_unpacking(tmp_path: Path) -> None:
    file = tmp_path / "news.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/News.CSV", "label,text\ncrude,Oil\n")

    assert read_rows(file, "news") == [Row("news:2", "", "Oil", ("crude",), "train")]
    assert list(tmp_path.iterdir()) == [file]


def test_labels_are_mapped_by_a_file(tmp_path: Path, home: Path) -> None:
    file, mapping = tmp_path / "news.jsonl", tmp_path / "map.csv"
    lines = [json.dumps({"text": t, "label": "abc"[n % 3]}) for n, t in enumerate(TITLES)]
    file.write_text("\n".join(lines))
    mapping.write_text("from,to\na,news\nb,news\nc,sport\n")

    built = add_dataset(home, file, "news", ["en"], mapping)

    assert sorted(built.manifest.labels) == ["news", "sport"]
    assert built.report.notes == ["labels mapped by map.csv"]


def test_texts_are_cleaned_where_asked(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "news.jsonl"
    lines = [
        {"uri": f"u{n}", "text": f"<b>{t}</b>\u0007\nRead more at our site", "label": "ab"[n % 2]}
        for n, t in enumerate(TITLES)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))

    built = add_dataset(home, file, "news", ["en"], clean=True)

    _, rows = load_dataset(home, built.manifest.id)
    assert [row.text for row in rows] == TITLES
