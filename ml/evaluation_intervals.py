"""How far a figure may be off because the test split is only a sample: bootstrap intervals.

Articles are drawn again with replacement (Efron, 1979); a figure's interval are the 2.5th and the
97.5th percentile of what the resamples give. The draws are seeded: equal answers, equal intervals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from ml.evaluation import Answers, counts, f1
from ml.evaluation_calibration import gaps

RESAMPLES = 1_000
BLOCK = 50  # resamples weighed at once: 50 x 10,000 articles are 4 MB
SEED = 20_000
PERCENTILES = (2.5, 97.5)

Interval = tuple[float, float]
Resamples = dict[str, np.ndarray]
"""Every resample's accuracy, macro_f1, micro_f1 and ece `(R,)`, and f1 `(R, L)`."""


def weights(articles: int) -> Iterator[np.ndarray]:
    """Yield blocks float64 `(BLOCK, N)` of how often each resample drew each article."""
    random = np.random.default_rng(SEED)
    first = np.arange(BLOCK)[:, None] * articles
    for _ in range(RESAMPLES // BLOCK):
        drawn = random.integers(articles, size=(BLOCK, articles)) + first
        drawn_often = np.bincount(drawn.ravel(), minlength=BLOCK * articles)
        yield drawn_often.reshape(BLOCK, articles).astype(np.float64)


def resampled(answers: Answers) -> Resamples:
    """Return the figures of every resample; the same draws for heads on the same articles."""
    with threadpool_limits(limits=1):  # small products: threads cost more than they bring
        return _resampled(answers)


def _resampled(answers: Answers) -> Resamples:
    found: dict[str, list[np.ndarray]] = {}
    right = answers.right.astype(np.float64)
    truth, chosen = answers.truth.astype(np.float64), answers.chosen.astype(np.float64)
    miscalibration = gaps(answers.claims, answers.held)
    for drawn in weights(len(answers)):
        hits, answered, support = drawn @ (truth * chosen), drawn @ chosen, drawn @ truth
        measure = f1(hits, answered, support)
        both = (answered + support).sum(axis=1)
        occurring = (~np.isnan(measure)).sum(axis=1)
        figures = {
            "accuracy": drawn @ right / len(answers),
            "macro_f1": np.nansum(measure, axis=1) / np.maximum(occurring, 1),
            "micro_f1": 2 * hits.sum(axis=1) / np.maximum(both, 1),
            "ece": np.abs(drawn @ miscalibration).sum(axis=1) / answers.claims.size,
            "f1": np.nan_to_num(measure),
        }
        for name, values in figures.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(blocks) for name, blocks in found.items()}


def interval(values: np.ndarray) -> Interval:
    """Return the percentiles of resampled values `(R,)`."""
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def f1_intervals(answers: Answers, resamples: Resamples) -> dict[str, Interval]:
    """Return the interval of every label's F1 where the label occurs in the truth."""
    support = counts(answers)[2]
    return {
        label: interval(resamples["f1"][:, n])
        for n, label in enumerate(answers.labels)
        if support[n]
    }


def share_interval(hits: int, trials: int) -> Interval:
    """Return the 95 % interval of a share (Wilson, 1927), for samples too many to resample."""
    found = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
