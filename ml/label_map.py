"""Label maps: from the labels of a file to those of a classifier, each named once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from ml.artifact import ArtifactError
from ml.dataset_fields import MAX_LABEL
from ml.dataset_records import open_records
from ml.datasets import Row

SHOWN = 10  # of the labels that miss
FROM, TO = "from", "to"  # columns of a map in CSV


def read_label_map(file: Path) -> dict[str, str]:
    """Return the map of a file: a JSON object `{"from": "to"}`, or CSV with the columns from, to.

    Raises ArtifactError naming file and line.
    """
    found: dict[str, str] = {}
    with open_records(file) as opened:
        for number, fields in opened.records:
            where = f"{file}: {opened.unit} {number}"
            if not isinstance(fields, dict):
                raise ArtifactError(f"{where}: expected a map, got {str(fields)[:200]}")
            pairs = (
                [(fields.get(FROM), fields.get(TO))] if opened.unit == "line" else fields.items()
            )
            for pair in pairs:
                old, new = (_label(value, where) for value in pair)
                if found.setdefault(old, new) != new:
                    raise ArtifactError(f"{where}: {old!r} is mapped to two labels")
    if not found:
        raise ArtifactError(f"{file}: the label map is empty")
    return found


def apply_label_map(rows: Iterable[Row], labels: Mapping[str, str], file: Path) -> list[Row]:
    """Return the rows under their new labels.

    Raises ArtifactError naming the labels that the map of `file` lacks, and its unused ones.
    """
    mapped: list[Row] = []
    missing: dict[str, str] = {}
    met: set[str] = set()
    for row in rows:
        met.update(row.labels)
        for label in row.labels:
            if label not in labels:
                missing.setdefault(label, row.uri)
        new = {labels[label] for label in row.labels if label in labels}
        mapped.append(msgspec.structs.replace(row, labels=tuple(sorted(new))))
    if missing:
        shown = [f"{label!r} (of {uri})" for label, uri in list(missing.items())[:SHOWN]]
        if len(missing) > SHOWN:
            shown.append(f"{len(missing) - SHOWN} more")
        unused = sorted(labels.keys() - met)[:SHOWN]
        hint = f"; it has {', '.join(map(repr, unused))}, which no article has" if unused else ""
        raise ArtifactError(f"{file}: the label map lacks {', '.join(shown)}{hint}")
    return mapped


def _label(value: object, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_LABEL:
        shown = repr(value)[:100]
        raise ArtifactError(f"{where}: {shown} is no label; a map has the columns {FROM} and {TO}")
    return value.strip()
