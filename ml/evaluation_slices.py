"""Whether a head serves every group of articles alike: slices of the test split, and their gaps.

A slice is named by its dimension and its value, e.g. language zh. A dimension whose field no row
has is left out. Gaps between the slices are measured with Fairlearn's MetricFrame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.evaluation_intervals import share_interval
from ml.evaluation_report import Dimension, Gap, Slice

LEAST_ARTICLES = 30
"""Articles in a slice whose figures are shown and judged: below, an interval spans over 30 points."""

SLICES_SHOWN = 20  # of one dimension, the largest; a wire has thousands of sources
LENGTHS = (250, 1_000, 4_000)  # characters: a headline, a paragraph, a story, a long story
QUARTERS = 4

PROTECTED = ("language", "source", "length")
"""Dimensions on which the gate judges. Not time: that is a trend, and nobody's articles."""


@dataclass(frozen=True)
class Traits:
    """What is known of every article: texts, and fields that may be None. Each of length N."""

    texts: Sequence[str]
    languages: Sequence[str | None] = ()
    sources: Sequence[str | None] = ()
    published: Sequence[str | None] = ()


def groups(traits: Traits) -> dict[str, np.ndarray]:
    """Return, by dimension, the value of every article as str `(N,)`; "" where it is not known."""
    found = {
        "language": _given(traits.languages),
        "source": _given(traits.sources),
        "length": np.array([_length(len(text)) for text in traits.texts]),
        "time": _quarters(traits.published),
    }
    return {name: values for name, values in found.items() if values is not None}


def missing(traits: Traits) -> list[str]:
    """Return the dimensions that no article has a value of."""
    return [name for name in ("language", "source", "length", "time") if name not in groups(traits)]


def dimensions(
    traits: Traits, right: np.ndarray, accepted: np.ndarray, champion: np.ndarray | None
) -> list[Dimension]:
    """Measure every dimension; `right`, `accepted` and the champion's `right` are bool `(N,)`."""
    return [
        _dimension(name, values, right, accepted, champion)
        for name, values in groups(traits).items()
    ]


def large(values: np.ndarray) -> list[str]:
    """Return the values that enough articles have, the largest groups first."""
    often = Counter(values[values != ""].tolist())
    return [value for value, count in often.most_common() if count >= LEAST_ARTICLES]


def _dimension(
    name: str,
    values: np.ndarray,
    right: np.ndarray,
    accepted: np.ndarray,
    champion: np.ndarray | None,
) -> Dimension:
    enough = large(values)
    shown = enough[:SLICES_SHOWN]
    if name in ("length", "time"):  # these have an order of their own
        shown = [v for v in dict.fromkeys(_order(name, values)) if v in enough]
    rows = []
    for value in shown:
        here = values == value
        low, high = share_interval(int(right[here].sum()), int(here.sum()))
        rows.append(
            Slice(
                value=value,
                articles=int(here.sum()),
                accuracy=float(right[here].mean()),
                low=low,
                high=high,
                accepted=float(accepted[here].mean()),
                champion=None if champion is None else float(champion[here].mean()),
            )
        )
    return Dimension(
        name=name,
        protected=name in PROTECTED,
        slices=rows,
        gaps=_gaps(values, enough, right, accepted) if len(enough) > 1 else {},
        too_small=len(set(values[values != ""].tolist())) - len(enough),
    )


def _gaps(
    values: np.ndarray, enough: Sequence[str], right: np.ndarray, accepted: np.ndarray
) -> dict[str, Gap]:
    # Here: it brings in pandas, which takes two seconds.
    from fairlearn.metrics import MetricFrame

    def rate(which: int) -> Callable[[np.ndarray, np.ndarray], float]:
        return lambda first, second: float(np.mean((first, second)[which]))

    counted = np.isin(values, enough)
    frame = MetricFrame(
        metrics={"accuracy": rate(0), "accepted": rate(1)},
        y_true=right[counted].astype(int),
        y_pred=accepted[counted].astype(int),
        sensitive_features=values[counted],
    )
    difference, ratio = frame.difference(), frame.ratio()
    return {
        name: Gap(float(difference[name]), None if np.isnan(ratio[name]) else float(ratio[name]))
        for name in ("accuracy", "accepted")
    }


def _given(values: Sequence[str | None]) -> np.ndarray | None:
    return np.array([value or "" for value in values]) if any(values) else None


def _length(characters: int) -> str:
    for bound in LENGTHS:
        if characters < bound:
            return f"under {bound:,} characters"
    return f"{LENGTHS[-1]:,} characters and more"


def _quarters(published: Sequence[str | None]) -> np.ndarray | None:
    """Cut the dated articles into four of equal size by time, named by their first and last day.

    Where two would have one name, as on a single day's wire, minutes tell them apart.
    """
    dated = sorted((moment, n) for n, moment in enumerate(published) if moment)
    if not dated:
        return None
    quarters = [q for q in np.array_split(np.arange(len(dated)), QUARTERS) if len(q)]
    for digits in (len("2026-01-31"), len("2026-01-31T23:59")):
        names = [f"{dated[q[0]][0][:digits]} to {dated[q[-1]][0][:digits]}" for q in quarters]
        if len(set(names)) == len(names):
            break
    values = np.full(len(published), "", dtype="<U48")
    for name, quarter in zip(names, quarters, strict=True):
        for n in quarter:
            values[dated[n][1]] = name
    return values


def _order(name: str, values: np.ndarray) -> list[str]:
    found = sorted(set(values[values != ""].tolist()))
    if name == "time":
        return found  # days as written in ISO 8601 sort by time
    return [_length(bound - 1) for bound in LENGTHS] + [_length(LENGTHS[-1])]
