"""Labelled articles in a file of somebody's own, read strictly and saved as a dataset version.

A record has `label`, or `labels` (a list; in a cell with | between), and `text` or `title` and `body`;
`uri` (or `id`), `split`, `language`, `source` and `published_at` may be there, other fields are left
alone. An item of ninjs has its subjects as labels. Where no record names a split, a fifth of the
articles is the test split, so that nearly equal texts share a split and a file that grows keeps its
test articles.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ml.artifact import ArtifactError
from ml.cleaning import clean_row
from ml.dataset_building import Built, build_dataset, check_name, difference
from ml.dataset_fields import row_of
from ml.dataset_records import MAX_BYTES, open_records
from ml.datasets import Row
from ml.label_map import apply_label_map, read_label_map

SHOWN_PROBLEMS = 10


def add_dataset(
    home: Path,
    file: Path,
    name: str,
    languages: Sequence[str],
    label_map: Path | None = None,
    clean: bool = False,
) -> Built:
    """Save the articles of `file` as a dataset version, under the labels of a map where one is given.

    With `clean`, mark-up, control characters and agency boilerplate are taken out of the texts.
    Raises ArtifactError that names file and line, and then leaves nothing behind.
    """
    check_name(name)
    labels = read_label_map(label_map) if label_map else {}
    rows = read_rows(file, name)
    notes = []
    if label_map:
        rows = apply_label_map(rows, labels, label_map)
        notes.append(f"labels mapped by {label_map.name}")
    if clean:
        rows = [clean_row(row) for row in rows]
        if empty := next((row for row in rows if not row.text), None):
            raise ArtifactError(f"{file}: nothing of {empty.uri} is left after cleaning")
        notes.append("mark-up, control characters and boilerplate were taken out")
    try:
        return build_dataset(
            home,
            name,
            rows,
            file.name,
            languages,
            splits="automatic" if all(row.split == "train" for row in rows) else "given",
            notes=notes,
        )
    except ArtifactError as error:
        raise ArtifactError(f"{file}: {error}") from error


def read_rows(file: Path, name: str) -> list[Row]:
    """Return the rows of a file; those that name no split are `train`.

    A row without uri gets `name`:line. Raises ArtifactError that lists the first problems by line.
    """
    rows: list[Row] = []
    problems: list[str] = []
    seen: dict[str, tuple[int, Row]] = {}
    size = 0
    with open_records(file) as opened:
        for number, fields in opened.records:
            try:
                row = row_of(fields, f"{name}:{number}")
                before, first = seen.setdefault(row.uri, (number, row))
                if differs := difference(first, row):
                    raise ValueError(
                        f"uri {row.uri!r} stands in {opened.unit} {before} already, {differs}"
                    )
            except ValueError as error:
                problems.append(f"{opened.unit} {number}: {error}")
                continue
            # A column of one long text repeated takes little of a file and much of a machine.
            size += len(row.title) + len(row.body)
            if size > MAX_BYTES:
                raise ArtifactError(f"{file}: {opened.unit} {number}: over {MAX_BYTES} characters")
            rows.append(row)
    if problems:
        shown = problems[:SHOWN_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        raise ArtifactError(f"{file}: " + "; ".join(shown))
    if not rows:
        raise ArtifactError(f"{file}: no rows")
    return rows
