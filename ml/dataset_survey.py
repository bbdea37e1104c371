"""Look a dataset over: balance, lengths, near-duplicates, leakage, and drift since the last version."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ml.artifact import DatasetManifest
from ml.dataset_report import (
    Balance,
    DatasetReport,
    Drift,
    Example,
    LabelDrift,
    Leakage,
    Lengths,
    NearGroups,
    Times,
)
from ml.datasets import SPLITS, Row
from ml.near_duplicates import NearDuplicates

EXAMPLES = 20
SOURCES = 50  # the most frequent; a wire has thousands
RARE = 10  # training articles; under these no head has learned a label
UNKNOWN = "unknown"
HALF = 0.5
"""Added to every label's count before shares are compared (Jeffreys): a label that one version lacks
would make the index infinite, and a single article of it would not."""


def survey(
    rows: Sequence[Row],
    near: NearDuplicates,
    *,
    splits: str,
    languages: Sequence[str],
    duplicates: int = 0,
    last: DatasetManifest | None = None,
    notes: Sequence[str] = (),
) -> DatasetReport:
    """Return the report of `rows`, with `near` of their texts in this order.

    An article that names no language is in the only one of `languages`, or in an unknown one.
    `last` is the version to compare the label shares with; None where it is the first.
    """
    contradicting = _contradicting(rows)
    otherwise = languages[0] if len(languages) == 1 else UNKNOWN
    return DatasetReport(
        articles=len(rows),
        splits=splits,
        duplicates=duplicates,
        contradictions=len(contradicting),
        contradicting=contradicting[:EXAMPLES],
        balance=_balance(rows),
        lengths=_lengths(rows),
        languages=_counted(row.language or otherwise for row in rows),
        sources=_counted((row.source for row in rows if row.source), SOURCES),
        near=_near(rows, near),
        leakage=_leakage(rows, near),
        drift=drift(_label_counts(rows), len(rows), last) if last else None,
        times=_times(rows),
        notes=list(notes),
    )


def drift(counts: Mapping[str, int], articles: int, last: DatasetManifest) -> Drift:
    """Compare how often labels are given with the version `last`."""
    before = {label: sum(splits.values()) for label, splits in last.labels.items()}
    labels = sorted({*counts, *before})
    old = _shares([before.get(label, 0) for label in labels])  # (L,)
    new = _shares([counts.get(label, 0) for label in labels])  # (L,)
    middle = (old + new) / 2
    divergence = (old * np.log2(old / middle) + new * np.log2(new / middle)).sum() / 2
    order = np.argsort(-np.abs(new - old), kind="stable")[:EXAMPLES]
    return Drift(
        since=last.id,
        articles_before=sum(last.rows.values()),
        articles_now=articles,
        psi=round(float(((new - old) * np.log(new / old)).sum()), 6),
        divergence=round(float(max(0.0, divergence)), 6),
        appeared=[label for label in labels if label not in before],
        gone=[label for label in labels if label not in counts],
        moved=[
            LabelDrift(labels[n], round(float(old[n]), 6), round(float(new[n]), 6))
            for n in order.tolist()
        ],
    )


def _shares(counts: Sequence[int]) -> np.ndarray:
    smoothed = np.array(counts, np.float64) + HALF
    return np.asarray(smoothed / smoothed.sum())


def _label_counts(rows: Iterable[Row]) -> Counter[str]:
    return Counter(label for row in rows for label in row.labels)


def _balance(rows: Sequence[Row]) -> Balance:
    counts = _label_counts(row for row in rows if row.split == "train")
    everywhere = sorted(_label_counts(rows))
    ranked = sorted(everywhere, key=lambda label: (-counts[label], label))
    total = max(1, sum(counts.values()))
    shares = [n / total for n in counts.values()]
    entropy = -sum(share * math.log(share) for share in shares)
    return Balance(
        labels=len(everywhere),
        largest=ranked[0],
        largest_share=round(counts[ranked[0]] / total, 6),
        smallest=ranked[-1],
        smallest_articles=counts[ranked[-1]],
        evenness=round(entropy / math.log(len(everywhere)), 6) if len(everywhere) > 1 else 1.0,
        rare=[label for label in ranked if counts[label] < RARE],
        rare_below=RARE,
        labels_an_article=round(sum(len(row.labels) for row in rows) / len(rows), 4),
        without_label=sum(not row.labels for row in rows),
    )


def _lengths(rows: Sequence[Row]) -> dict[str, Lengths]:
    found: dict[str, Lengths] = {}
    for split in SPLITS:
        sizes = np.array([len(row.text) for row in rows if row.split == split])
        if len(sizes):
            median, p95 = np.percentile(sizes, [50, 95]).tolist()
            found[split] = Lengths(
                shortest=int(sizes.min()),
                median=round(median),
                p95=round(p95),
                longest=int(sizes.max()),
            )
    return found


def _counted(values: Iterable[str], most: int | None = None) -> dict[str, int]:
    ranked = sorted(Counter(values).items(), key=lambda entry: (-entry[1], entry[0]))
    return dict(ranked[:most])


def _near(rows: Sequence[Row], near: NearDuplicates) -> NearGroups:
    groups = near.groups()
    strongest = sorted(near.pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))
    return NearGroups(
        groups=len(groups),
        articles=sum(groups),
        largest=groups[0] if groups else 0,
        examples=[
            Example(rows[p.first].uri, rows[p.second].uri, round(p.similarity, 4))
            for p in strongest[:EXAMPLES]
        ],
    )


def _leakage(rows: Sequence[Row], near: NearDuplicates) -> Leakage:
    trained = {near.leaders[n] for n, row in enumerate(rows) if row.split == "train"}
    tested = [n for n, row in enumerate(rows) if row.split == "test"]
    leaked = [n for n in tested if near.leaders[n] in trained]
    examples = []
    for pair in near.pairs:
        ends = {rows[pair.first].split: pair.first, rows[pair.second].split: pair.second}
        if ends.keys() == {"train", "test"}:
            uris = rows[ends["test"]].uri, rows[ends["train"]].uri
            examples.append(Example(*uris, round(pair.similarity, 4)))
    return Leakage(
        articles=len(leaked),
        share=round(len(leaked) / max(1, len(tested)), 6),
        examples=sorted(examples, key=lambda e: (-e.similarity, e.first))[:EXAMPLES],
    )


def _contradicting(rows: Sequence[Row]) -> list[str]:
    """Return the first uri of every text that stands under more than one set of labels."""
    met: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        met[row.text].append(row)
    return [same[0].uri for same in met.values() if len({row.labels for row in same}) > 1]


def _times(rows: Sequence[Row]) -> Times | None:
    moments = sorted(row.published_at for row in rows if row.published_at)
    if not moments:
        return None
    return Times(dated=len(moments), earliest=moments[0], latest=moments[-1])
