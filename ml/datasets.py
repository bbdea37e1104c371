"""Dataset versions: labelled articles with their splits, immutable and named by their content."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

import msgspec

from ml import text
from ml.artifact import (
    ArtifactError,
    DatasetManifest,
    check_files,
    dataset_path,
    load_manifest,
    read_file,
    save,
)
from ml.messages import timestamp

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ROWS_FILE = "rows.jsonl.gz"
FORMAT = 2
"""Rows of format 1 have one label, no language, source or time; a version says which it needs."""

VALIDATION_SHARE = 10  # one in so many of the training articles


class Row(msgspec.Struct, frozen=True):
    """One labelled article; `labels` are sorted and distinct, and there may be none of them.

    `language` is a primary tag (zh), `published_at` RFC 3339 in UTC; what is not known is None.
    """

    uri: str
    title: str
    body: str
    labels: tuple[str, ...]
    split: Split
    language: str | None = None
    source: str | None = None
    published_at: str | None = None

    def __post_init__(self) -> None:
        if isinstance(cast("object", self.labels), str):  # in place of ("x",) it would do harm
            raise TypeError(f"labels of {self.uri}: expected a tuple, got {self.labels!r}")

    @property
    def label(self) -> str:
        """The only label; raises ValueError where there are none or several."""
        if len(self.labels) != 1:
            raise ValueError(f"{self.uri} has {len(self.labels)} labels, not one")
        return self.labels[0]

    @property
    def text(self) -> str:
        """The normalised text, as `ml.messages.Article.text` gives it for the same article."""
        return text.normalise(f"{self.title}\n{self.body}")


class _Line(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A row as it is stored: `label` where it has one, else `labels`.

    So a row that has one label and nothing that format 1 lacks is the same bytes in both formats,
    and the versions that exist keep their names.
    """

    uri: str
    title: str
    body: str
    label: str | None = None
    labels: tuple[str, ...] | None = None
    split: Split
    language: str | None = None
    source: str | None = None
    published_at: str | None = None

    @property
    def plain(self) -> bool:
        """Whether format 1 can say it."""
        return self.labels is None and not (self.language or self.source or self.published_at)


_decoder = msgspec.json.Decoder(_Line)


def _line(row: Row) -> _Line:
    one = len(row.labels) == 1
    return _Line(
        uri=row.uri,
        title=row.title,
        body=row.body,
        label=row.labels[0] if one else None,
        labels=None if one else row.labels,
        split=row.split,
        language=row.language,
        source=row.source,
        published_at=row.published_at,
    )


def _row(line: bytes) -> Row:
    """Return a stored line as a row; raises msgspec's errors."""
    found = _decoder.decode(line)
    if (found.label is None) == (found.labels is None):
        raise msgspec.ValidationError(f"{found.uri} must have either label or labels")
    return Row(
        found.uri,
        found.title,
        found.body,
        (found.label,) if found.label is not None else found.labels or (),
        found.split,
        found.language,
        found.source,
        found.published_at,
    )


def carve_validation(rows: Iterable[Row]) -> Iterator[Row]:
    """Move a tenth of the training rows to validation, chosen by a hash of their text.

    Equal texts share a split, and a row's split does not depend on the others: a dataset that
    grows keeps its validation articles.
    """
    for row in rows:
        chosen = int(text.digest(row.text)[:8], 16) % VALIDATION_SHARE == 0
        if row.split == "train" and chosen:
            yield msgspec.structs.replace(row, split="validation")
        else:
            yield row


def save_dataset(
    home: Path,
    name: str,
    rows: Iterable[Row],
    source: str,
    languages: list[str],
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> DatasetManifest:
    """Save a dataset version; returns its manifest. Equal rows are the version that exists.

    `files` are saved beside the rows, and do not change the version's name.
    """
    splits: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
    labels: dict[str, dict[str, int]] = {}
    lines = io.BytesIO()
    plain, single = True, True
    for row in rows:
        splits[row.split] += 1
        for label in row.labels:
            counts = labels.setdefault(label, dict.fromkeys(SPLITS, 0))
            counts[row.split] += 1
        line = _line(row)
        plain, single = plain and line.plain, single and len(row.labels) == 1
        lines.write(msgspec.json.encode(line) + b"\n")
    if not labels:
        raise ArtifactError(f"dataset {name!r} has no labelled rows")
    manifest = DatasetManifest(
        name=name,
        rows=dict(splits),
        labels=dict(sorted(labels.items())),
        format=1 if plain else FORMAT,
        multilabel=not single,
        rows_sha256=hashlib.sha256(lines.getvalue()).hexdigest(),
        languages=languages,
        source=source,
        created_at=timestamp(datetime.now(UTC)),
    )
    return save(home, manifest, {**files, ROWS_FILE: gzip.compress(lines.getvalue(), mtime=0)})


def load_dataset(home: Path, dataset_id: str) -> tuple[DatasetManifest, list[Row]]:
    """Read and check a dataset version; raises ArtifactError where it is missing or broken."""
    path = dataset_path(home, dataset_id)
    manifest = load_manifest(path, DatasetManifest)
    if manifest.format > FORMAT:
        raise ArtifactError(
            f"{path}: rows of format {manifest.format}; this release reads up to {FORMAT}"
        )
    check_files(path, manifest)
    try:
        lines = gzip.decompress(read_file(path / ROWS_FILE))
        rows = [_row(line) for line in lines.splitlines()]
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise ArtifactError(f"{path / ROWS_FILE}: not rows ({error})") from error
    if (got := hashlib.sha256(lines).hexdigest()) != manifest.rows_sha256:
        raise ArtifactError(f"{path}: expected rows {manifest.rows_sha256}, got {got}")
    return manifest, rows
