"""From labelled rows to a dataset version, whatever they come from: a file, or a stream's corrections.

1. two articles under one uri are refused  2. copies are left out  3. nearly equal texts are grouped
4. groups are split, where no splits are given  5. what cannot be learned is refused  6. the rows are
looked over and saved with the report. Nothing is written before all of it has passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from ml import text
from ml.artifact import ArtifactError, DatasetManifest, list_datasets
from ml.dataset_report import REPORT_FILE, DatasetReport
from ml.dataset_survey import survey
from ml.datasets import VALIDATION_SHARE, Row, Split, save_dataset
from ml.near_duplicates import NearDuplicates, near_duplicates

TEST_SHARE = 5  # one in so many articles is tested on, where no splits are given
SHOWN = 10
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,60}")  # as ml.artifact names folders

Splits = Literal["given", "automatic"]


@dataclass(frozen=True)
class Built:
    """A saved version and what was found in it."""

    manifest: DatasetManifest
    report: DatasetReport


def build_dataset(
    home: Path,
    name: str,
    rows: Iterable[Row],
    source: str,
    languages: Sequence[str],
    *,
    splits: Splits = "automatic",
    notes: Sequence[str] = (),
) -> Built:
    """Save labelled rows as the next version of `name`.

    With `splits` "given" each row stays in its split, and a leak between them is reported, not
    mended; a tenth of the training articles becomes the validation split where there is none.
    Otherwise all rows are split anew. Raises ArtifactError, and then leaves nothing behind.
    """
    check_name(name)
    given = list(rows)
    check_uris(given)  # 1
    if splits == "automatic":
        given = [msgspec.structs.replace(row, split="train") for row in given]
    kept = drop_copies(given)  # 2
    near = near_duplicates([row.text for row in kept])  # 3
    if splits == "automatic":  # 4
        kept = _carve(kept, near, "test", TEST_SHARE, slice(8, 16))
        kept = _learnable(kept, near)
    if not any(row.split == "validation" for row in kept):
        kept = _carve(kept, near, "validation", VALIDATION_SHARE, slice(0, 8))
        kept = _learnable(kept, near, "validation")
    check_learnable(kept)  # 5
    last = next((m for m in reversed(list_datasets(home)) if m.name == name), None)
    report = survey(  # 6
        kept,
        near,
        splits=splits,
        languages=languages,
        duplicates=len(given) - len(kept),
        last=last,
        notes=notes,
    )
    spoken = sorted({row.language for row in kept if row.language} | set(languages))
    files = {REPORT_FILE: msgspec.json.format(msgspec.json.encode(report))}
    return Built(save_dataset(home, name, kept, source, spoken, files), report)


def check_name(name: str) -> None:
    """Raise ArtifactError where a dataset cannot be called so: the name becomes a folder's."""
    if not NAME.fullmatch(name):
        raise ArtifactError(f"{name!r} is no name of a dataset; expected e.g. tnews or wire-2026")


def check_uris(rows: Iterable[Row]) -> None:
    """Raise ArtifactError where one uri stands for two articles."""
    met: dict[str, Row] = {}
    for row in rows:
        if differs := difference(met.setdefault(row.uri, row), row):
            raise ArtifactError(f"uri {row.uri!r} stands for two articles, {differs}")


def difference(one: Row, other: Row) -> str:
    """Say what differs between two rows of one uri; nothing where they are copies."""
    if one.labels != other.labels:
        names = [", ".join(row.labels) or "no label" for row in (one, other)]
        return f"labelled {names[0]!r} and {names[1]!r}"
    if one.text != other.text:
        return "with different texts"
    return f"in the splits {one.split} and {other.split}" if one.split != other.split else ""


def drop_copies(rows: Iterable[Row]) -> list[Row]:
    """Return the rows without those whose text, labels and split an earlier one has."""
    kept: dict[tuple[object, ...], Row] = {}
    for row in rows:
        kept.setdefault((row.text, row.labels, row.split), row)
    return list(kept.values())


def check_learnable(rows: Sequence[Row]) -> None:
    """Raise ArtifactError where a split or a second label is missing, or a label was never trained."""
    if not rows:
        raise ArtifactError("no rows")
    for split in ("train", "test"):
        if not any(row.split == split for row in rows):
            raise ArtifactError(f"no row of the split {split!r}")
    if len({label for row in rows for label in row.labels}) < 2:
        raise ArtifactError("one label alone cannot be learned; there must be two")
    trained = {label for row in rows if row.split == "train" for label in row.labels}
    unknown: dict[str, Row] = {}
    for row in rows:
        for label in row.labels:
            if label not in trained:
                unknown.setdefault(label, row)
    if unknown:
        shown = [f"{label!r} ({row.split}: {row.uri})" for label, row in unknown.items()]
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        raise ArtifactError(
            f"no training article has the label {', '.join(shown[:SHOWN])}{more}; "
            "give some, or map it to another label"
        )


def _carve(
    rows: Sequence[Row], near: NearDuplicates, split: Split, share: int, digits: slice
) -> list[Row]:
    """Move one in `share` groups of training articles to `split`, chosen by a hash of the first text.

    A group's place does not depend on others, so that a dataset that grows keeps its test articles.
    The two draws look at other `digits` of the hash: they must not depend on each other.
    """
    chosen: dict[int, bool] = {}
    for leader in near.leaders:
        if leader not in chosen:
            number = int(text.digest(rows[leader].text)[digits], 16)
            chosen[leader] = number % share == 0
    return [
        msgspec.structs.replace(row, split=split)
        if row.split == "train" and chosen[leader]
        else row
        for row, leader in zip(rows, near.leaders, strict=True)
    ]


def _learnable(rows: Sequence[Row], near: NearDuplicates, split: Split = "test") -> list[Row]:
    """Take groups back from `split` whose labels would otherwise have no training article."""
    trained = {label for row in rows if row.split == "train" for label in row.labels}
    back: set[int] = set()
    for row, leader in zip(rows, near.leaders, strict=True):
        if row.split == split and not trained.issuperset(row.labels):
            trained.update(row.labels)
            back.add(leader)
    return [
        msgspec.structs.replace(row, split="train")
        if row.split == split and leader in back
        else row
        for row, leader in zip(rows, near.leaders, strict=True)
    ]
