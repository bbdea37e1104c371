"""Dataset versions: labelled articles with their splits, immutable and named by their content."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from ml import text
from ml.artifact import (
    ArtifactError,
    DatasetManifest,
    check_files,
    dataset_path,
    load_manifest,
    save,
)
from ml.messages import timestamp

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ROWS_FILE = "rows.jsonl.gz"
VALIDATION_SHARE = 10  # one in so many of the training articles


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One labelled article."""

    uri: str
    title: str
    body: str
    label: str
    split: Split

    @property
    def text(self) -> str:
        """The normalised text, as `ml.messages.Article.text` gives it for the same article."""
        return text.normalise(f"{self.title}\n{self.body}")


_decoder = msgspec.json.Decoder(Row)


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
    home: Path, name: str, rows: Iterable[Row], source: str, languages: list[str]
) -> DatasetManifest:
    """Save a dataset version; returns its manifest. Equal rows are the version that exists."""
    splits: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
    labels: dict[str, dict[str, int]] = {}
    lines = io.BytesIO()
    for row in rows:
        splits[row.split] += 1
        counts = labels.setdefault(row.label, dict.fromkeys(SPLITS, 0))
        counts[row.split] += 1
        lines.write(msgspec.json.encode(row) + b"\n")
    if not labels:
        raise ArtifactError(f"dataset {name!r} has no rows")
    manifest = DatasetManifest(
        name=name,
        rows=dict(splits),
        labels=dict(sorted(labels.items())),
        rows_sha256=hashlib.sha256(lines.getvalue()).hexdigest(),
        languages=languages,
        source=source,
        created_at=timestamp(datetime.now(UTC)),
    )
    return save(home, manifest, {ROWS_FILE: gzip.compress(lines.getvalue(), mtime=0)})


def load_dataset(home: Path, dataset_id: str) -> tuple[DatasetManifest, list[Row]]:
    """Read and check a dataset version; raises ArtifactError where it is missing or broken."""
    path = dataset_path(home, dataset_id)
    manifest = load_manifest(path, DatasetManifest)
    check_files(path, manifest)
    try:
        lines = gzip.decompress((path / ROWS_FILE).read_bytes())
        rows = [_decoder.decode(line) for line in lines.splitlines()]
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise ArtifactError(f"{path / ROWS_FILE}: not rows ({error})") from error
    if (got := hashlib.sha256(lines).hexdigest()) != manifest.rows_sha256:
        raise ArtifactError(f"{path}: expected rows {manifest.rows_sha256}, got {got}")
    return manifest, rows
