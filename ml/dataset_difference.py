"""What changed between two versions of a dataset, article by article."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ml.artifact import DatasetManifest
from ml.datasets import Row

EXAMPLES = 20


class Relabelled(msgspec.Struct, frozen=True):
    """An article whose labels changed."""

    uri: str
    before: tuple[str, ...]
    now: tuple[str, ...]


class LabelCount(msgspec.Struct, frozen=True):
    """How many articles have a label, before and now."""

    label: str
    before: int
    now: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Articles by uri: in one version alone, or in both with another text, split or labels.

    `labels` are those whose count changed, the largest change first.
    """

    before: str
    now: str
    added: int
    removed: int
    unchanged: int
    rewritten: int
    moved: int
    relabelled: int
    examples: list[Relabelled]
    labels: list[LabelCount]


def difference(
    before: DatasetManifest,
    rows_before: Sequence[Row],
    now: DatasetManifest,
    rows_now: Sequence[Row],
) -> Difference:
    """Compare two versions, of one dataset or of two."""
    old = {row.uri: row for row in rows_before}
    new = {row.uri: row for row in rows_now}
    both = [(old[uri], row) for uri, row in new.items() if uri in old]
    relabelled = [Relabelled(a.uri, a.labels, b.labels) for a, b in both if a.labels != b.labels]
    return Difference(
        before=before.id,
        now=now.id,
        added=len(new) - len(both),
        removed=len(old) - len(both),
        unchanged=sum(a == b for a, b in both),
        rewritten=sum(a.text != b.text for a, b in both),
        moved=sum(a.split != b.split for a, b in both),
        relabelled=len(relabelled),
        examples=relabelled[:EXAMPLES],
        labels=_labels(before, now),
    )


def _labels(before: DatasetManifest, now: DatasetManifest) -> list[LabelCount]:
    counts = [
        LabelCount(
            label,
            sum(before.labels.get(label, {}).values()),
            sum(now.labels.get(label, {}).values()),
        )
        for label in sorted({*before.labels, *now.labels})
    ]
    changed = [count for count in counts if count.before != count.now]
    return sorted(changed, key=lambda count: -abs(count.now - count.before))
