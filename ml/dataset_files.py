"""Labelled articles in a file of somebody's own: CSV or JSON lines, read strictly.

A row has `label`, and `text` or `title` and `body`; `uri` (or `id`) and `split` may be there, other
fields are left alone. Where no row names a split, a fifth of the texts is the test split, chosen
by a hash, so that equal texts share a split and a file that grows keeps its test articles.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ml import text
from ml.artifact import ArtifactError, DatasetManifest
from ml.datasets import Row, Split, carve_validation, save_dataset
from ml.messages import MAX_TEXT

TEST_SHARE = 5  # one in so many
SHOWN_PROBLEMS = 10
MAX_LABEL = 200  # characters; a longer one is a text in the wrong column
MAX_URI = 2_000  # characters, as in messages
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,60}")  # as ml.artifact names folders

SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def add_dataset(home: Path, file: Path, name: str, languages: list[str]) -> DatasetManifest:
    """Save the rows of `file` as a dataset version; returns its manifest.

    Raises ArtifactError that lists the first problems by line.
    """
    if not NAME.fullmatch(name):
        raise ArtifactError(f"{name!r} is no name of a dataset; expected e.g. tnews or wire-2026")
    rows = read_rows(file, name)
    if all(row.split == "train" for row in rows):
        rows = list(_carve_test(rows))
    if not any(row.split == "validation" for row in rows):
        rows = list(carve_validation(rows))
    for split in ("train", "test"):
        if not any(row.split == split for row in rows):
            raise ArtifactError(f"{file}: no row of the split {split!r}")
    if len({row.label for row in rows}) < 2:
        raise ArtifactError(f"{file}: one label alone cannot be learned; there must be two")
    return save_dataset(home, name, rows, file.name, languages)


def read_rows(file: Path, name: str) -> list[Row]:
    """Return the rows of a file; those that name no split are `train`.

    A row without uri gets `name`:line. Raises ArtifactError that lists the first problems by line.
    """
    rows: list[Row] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    try:
        for number, fields in _records(file):
            try:
                row = _row(fields, f"{name}:{number}")
                if row.uri in seen:
                    raise ValueError(f"uri {row.uri!r} stands in line {seen[row.uri]} already")
            except ValueError as error:
                problems.append(f"line {number}: {error}")
                continue
            seen[row.uri] = number
            rows.append(row)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ArtifactError(f"{file}: cannot be read ({error})") from error
    if problems:
        shown = problems[:SHOWN_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        raise ArtifactError(f"{file}: " + "; ".join(shown))
    if not rows:
        raise ArtifactError(f"{file}: no rows")
    return rows


def _records(file: Path) -> Iterator[tuple[int, Any]]:
    """Yield line numbers from 1 and what stands there; a ValueError stands for what is no record."""
    plain = file.name.removesuffix(".gz")
    if plain.endswith(".csv"):
        read = _csv
    elif plain.endswith((".jsonl", ".ndjson")):
        read = _json
    else:
        raise ArtifactError(f"{file}: expected .csv or .jsonl, or either with .gz")
    with (
        gzip.open(file, "rt", encoding="utf-8-sig", newline="")
        if file.suffix == ".gz"
        else file.open(encoding="utf-8-sig", newline="")
    ) as lines:
        yield from read(lines)


def _csv(lines: Any) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(lines, strict=True)
    last = 1
    for fields in reader:
        if None in fields or None in fields.values():
            yield last + 1, ValueError(f"expected {len(reader.fieldnames or ())} columns")
        else:
            yield last + 1, fields
        last = reader.line_num  # a field may span lines


def _json(lines: Any) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, ValueError(f"not JSON ({error})")


def _row(fields: Any, default_uri: str) -> Row:
    """Return a record as a row; raises ValueError saying what is wrong."""
    if isinstance(fields, ValueError):
        raise fields
    if not isinstance(fields, dict):
        raise ValueError("expected an object with label and text")
    label = _field(fields, "label").strip()
    if not label:
        raise ValueError("label is missing")
    if len(label) > MAX_LABEL:
        raise ValueError(f"label has {len(label)} characters; the limit is {MAX_LABEL}")
    title, body = _field(fields, "title"), _field(fields, "body") or _field(fields, "text")
    if len(title) + len(body) > MAX_TEXT:
        raise ValueError(f"the text has {len(title) + len(body)} characters; limit {MAX_TEXT}")
    uri = (_field(fields, "uri") or _field(fields, "id") or default_uri).strip()
    if len(uri) > MAX_URI:
        raise ValueError(f"uri has {len(uri)} characters; the limit is {MAX_URI}")
    split = _field(fields, "split").strip().lower() or "train"
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: expected train, validation or test")
    row = Row(uri, title, body, (label,), SPLITS[split])
    if not row.text:
        raise ValueError("text is missing")
    return row


def _field(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} must be a text, got {type(value).__name__}")
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half a character (a lone surrogate)") from None
    return str(value)


def _carve_test(rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        # Other digits than carve_validation's: the two draws must not depend on each other.
        chosen = int(text.digest(row.text)[8:16], 16) % TEST_SHARE == 0
        yield msgspec.structs.replace(row, split="test" if chosen else row.split)
