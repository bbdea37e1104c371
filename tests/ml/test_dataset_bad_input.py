"""Files that are no dataset: each refused by name and place, and nothing is left behind."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import fastparquet
import pandas
import pytest

from ml import dataset_records
from ml.artifact import ArtifactError
from ml.dataset_files import add_dataset

GOOD = b"label,text\ncrude,Oil rises\nsport,A late goal\n"


def archive(name: str, content: bytes = GOOD, more: dict[str, bytes] | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for entry, data in {name: content, **(more or {})}.items():
            written.writestr(entry, data)
    return file.getvalue()


def linked_member() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        entry = zipfile.ZipInfo("news.csv")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        written.writestr(entry, "/etc/passwd")
    return file.getvalue()


def encrypted() -> bytes:
    """An archive whose entry says that it is encrypted, in both of its headers."""
    content = bytearray(archive("news.csv"))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def lying() -> bytes:
    """An archive of 20 MB of zeros that says it holds ten bytes."""
    content = bytearray(archive("news.csv", bytes(20_000_000)))
    for header, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(header) + place
        content[start : start + 4] = (10).to_bytes(4, "little")
    return bytes(content)


def lines(*records: dict[str, object]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def parquet(**columns: list[object]) -> bytes:
    file = io.BytesIO()
    file.close = lambda: None  # type: ignore[method-assign]  # the writer closes what it is given
    fastparquet.write("news.parquet", pandas.DataFrame(columns), open_with=lambda *_: file)
    return file.getvalue()


BAD: list[tuple[str, bytes, str]] = [
    ("empty.csv", b"", "no rows"),
    ("empty.jsonl", b"", "no rows"),
    ("head.csv", b"label,text\n", "no rows"),
    ("ragged.csv", b"label,text\ncrude,Oil\nsport\n", "line 3: expected 2 columns"),
    ("wide.csv", b"label,text\ncrude,Oil,gas\n", "line 2: expected 2 columns"),
    ("twice.csv", b"label,text,label\n", "line 1: column 'label' stands twice"),
    ("open.csv", b'label,text\nsport,Goal\ncrude,"Oil\n', "line 3: cannot be read (unexpected end"),
    ("latin.csv", b"label,text\ncrude,\xd6l\n", "line 2: not UTF-8"),
    ("utf16.jsonl", b"\xff\xfe", "line 1: not UTF-8"),
    ("columns.csv", b"topic,text\ncrude,Oil\n", "line 2: label is missing"),
    (
        "one.csv",
        b"label,text\ncrude,Oil rises\ncrude,Gas falls\n",
        "one label alone cannot be learned",
    ),
    (
        "uris.csv",
        b"uri,label,text\na,crude,Oil\nb,sport,Goal\na,sport,Oil\n",
        "line 4: uri 'a' stands in line 2 already, labelled 'crude' and 'sport'",
    ),
    (
        "splits.csv",
        b"uri,label,text,split\na,crude,Oil,train\na,crude,Oil,test\n",
        "line 3: uri 'a' stands in line 2 already, in the splits train and test",
    ),
    (
        "unknown.csv",
        b"uri,label,text,split\na,crude,Oil,train\nb,sport,Goal,train\nc,chess,Mate,test\n",
        "no training article has the label 'chess' (test: c)",
    ),
    (
        "untested.jsonl",
        lines({"text": "Oil", "label": "crude", "split": "dev"}),
        "no row of the split 'train'",
    ),
    ("long.csv", b"label,text\n" + b"x" * 201 + b",Oil\n", "line 2: label has 201 characters"),
    ("text.csv", b"label,text\ncrude," + b"x " * 600_000, "line 2: cannot be read (field larger"),
    ("list.jsonl", lines({"text": "Oil", "labels": {"crude": 1}}), "line 1: labels must be a list"),
    ("gap.jsonl", lines({"text": "Oil", "labels": ["a", ""]}), "line 1: a label is empty"),
    (
        "when.jsonl",
        lines({"text": "a", "label": "b", "published_at": "1 May"}),
        "line 1: published_at",
    ),
    ("tag.jsonl", lines({"text": "a", "label": "b", "language": "English"}), "line 1: language"),
    ("deep.jsonl", b"[" * 100_000, "line 1: not JSON"),
    ("deep.json", b"[" * 100_000, "not JSON"),
    ("items.json", b'[{"title": "Oil", "label": "crude"}, 7]', "item 2: expected an object"),
    ("subject.json", b'{"headline": "Oil", "subject": [7]}', "item 1: a subject must be an object"),
    ("news.txt", GOOD, "expected .csv, .jsonl"),
    ("news.xlsx", GOOD, "expected .csv, .jsonl"),
    ("junk.csv.gz", b"no gzip", "cannot be read (Not a gzipped file"),
    ("cut.csv.gz", gzip.compress(GOOD * 100)[:-9], "cannot be read (Compressed file ended"),
    (
        "bomb.csv.gz",
        gzip.compress(b"label,text\n" + b"\n" * 30_000_000),
        "unpacks to over 200 times",
    ),
    ("line.jsonl.gz", gzip.compress(bytes(40_000_000)), "over 200 times|line 1: over 16777216"),
    ("bomb.json.gz", gzip.compress(b" " * 30_000_000), "unpacks to over 200 times"),
    ("junk.zip", b"no zip", "cannot be read (File is not a zip file"),
    ("bomb.zip", archive("news.csv", b"label,text\n" + b"\n" * 30_000_000), "unpacks to over 200"),
    ("lying.zip", lying(), "line 1: not UTF-8|Bad CRC-32|line 1: over|label is missing|no rows"),
    ("up.zip", archive("../../news.csv"), "'../../news.csv' is a path that leaves the archive"),
    ("root.zip", archive("/etc/news.csv"), "'/etc/news.csv' is a path that leaves the archive"),
    ("dos.zip", archive("..\\news.csv"), "is a path that leaves the archive"),
    ("two.zip", archive("a.csv", more={"b.csv": GOOD}), "expected one file in the archive, got 2"),
    ("inner.zip", archive("news.zip", archive("news.csv")), "expected .csv, .jsonl"),
    ("link.zip", linked_member(), "'news.csv' is a symbolic link"),
    ("locked.zip", encrypted(), "'news.csv' is encrypted; decrypt it first"),
    ("junk.parquet", b"PAR1" * 20, "cannot be read (not Parquet"),
    ("bare.parquet", parquet(topic=["crude"]), "cannot be read (no column of"),
    ("bytes.parquet", parquet(label=["a"], text=[b"\xff\xfe"]), "row 1: text must be a text"),
]


def listing(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.fixture
def stocked(home: Path, tmp_path: Path) -> Path:
    """A home that has a dataset already."""
    file = tmp_path / "first.csv"
    file.write_text("label,text,split\na,Oil,train\nb,Goal,train\nb,Match,test\n")
    add_dataset(home, file, "news", ["en"])
    return home


@pytest.mark.parametrize(("name", "content", "says"), BAD, ids=[name for name, _, _ in BAD])
def test_it_is_refused_and_leaves_nothing(
    tmp_path: Path, stocked: Path, name: str, content: bytes, says: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    before = listing(tmp_path)

    with pytest.raises(ArtifactError) as refused:
        add_dataset(stocked, file, "news", ["en"])

    message = str(refused.value)
    assert message.startswith(f"{file}: ")
    assert any(part in message for part in says.split("|")), message
    assert len(message) < 2_000
    assert listing(tmp_path) == before


def test_a_field_of_a_gigabyte_is_not_read_to_its_end(tmp_path: Path, stocked: Path) -> None:
    file = tmp_path / "news.csv"
    with file.open("wb") as stream:
        stream.write(b'label,text\ncrude,"')
        stream.truncate(1_000_000_000)  # zeros that take no room on the disk

    with pytest.raises(ArtifactError, match=r"news\.csv: line 2: over 16777216 bytes"):
        add_dataset(stocked, file, "news", ["en"])


def test_a_file_without_end_is_bounded(
    tmp_path: Path, stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_records, "MAX_BYTES", 1_000)
    file = tmp_path / "news.csv"
    file.write_bytes(b"label,text\n" + b"crude,Oil\n" * 200)

    with pytest.raises(ArtifactError, match=r"news\.csv: over 1000 bytes unpacked"):
        add_dataset(stocked, file, "news", ["en"])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: file.symlink_to("/etc/passwd"), "a symbolic link; name the file itself"),
        (lambda file: os.mkfifo(file), "not a regular file"),
        (lambda file: file.mkdir(), "not a regular file"),
        (lambda file: None, "No such file"),
    ],
    ids=["link", "pipe", "folder", "missing"],
)
def test_what_is_no_regular_file_is_not_opened(
    tmp_path: Path, stocked: Path, make: Callable[[Path], None], says: str
) -> None:
    file = tmp_path / "news.csv"
    make(file)

    with pytest.raises(ArtifactError, match=says):
        add_dataset(stocked, file, "news", ["en"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"crude": "energy"}', "the label map lacks 'sport' (of news:3)"),
        (
            '{"crude": "energy", "sports": "sport"}',
            "the label map lacks 'sport' (of news:3); it has 'sports', which no article has",
        ),
        ("{}", "the label map is empty"),
        ('{"crude": 7, "sport": "sport"}', "item 1: 7 is no label"),
        ("[1]", "item 1: expected a map, got 1"),
        ("{", "not JSON"),
    ],
)
def test_a_label_map_that_does_not_match_names_what_is_missing(
    tmp_path: Path, stocked: Path, content: str, says: str
) -> None:
    file, mapping = tmp_path / "news.csv", tmp_path / "map.json"
    file.write_bytes(GOOD)
    mapping.write_text(content)
    before = listing(tmp_path)

    with pytest.raises(ArtifactError) as refused:
        add_dataset(stocked, file, "news", ["en"], mapping)

    assert f"{mapping}: {says}" in str(refused.value)
    assert listing(tmp_path) == before
