"""Two heads on the same articles: which of them changed for the better, and is that chance?"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.stats import binom, binomtest

from ml.evaluation import Answers
from ml.evaluation_report import Flip

FLIPS_SHOWN = 200


class Pairs(msgspec.Struct, frozen=True):
    """Articles that only the champion got right (`lost`) and only the candidate (`won`)."""

    lost: int
    won: int

    @property
    def exact_p(self) -> float:
        """McNemar's exact two-sided p: how often chance alone splits them as unevenly."""
        total = self.lost + self.won
        return float(binomtest(self.lost, total).pvalue) if total else 1.0

    @property
    def mid_p(self) -> float:
        """McNemar's mid-p, two-sided: less conservative in small counts (Fagerland et al., 2013)."""
        less = min(self.lost, self.won)
        total = self.lost + self.won
        return float(min(1.0, 2 * binom.cdf(less, total, 0.5) - binom.pmf(less, total, 0.5)))

    @property
    def worse_p(self) -> float:
        """The mid-p of the one-sided question: would chance alone lose so many more than it wins?"""
        total = self.lost + self.won
        return float(binom.sf(self.lost, total, 0.5) + 0.5 * binom.pmf(self.lost, total, 0.5))


def pairs(candidate: np.ndarray, champion: np.ndarray) -> Pairs:
    """Count from bool `(N,)`: which articles each got right."""
    return Pairs(int((champion & ~candidate).sum()), int((candidate & ~champion).sum()))


def flips(
    candidate: Answers, champion: Answers, uris: Sequence[str], titles: Sequence[str]
) -> tuple[list[Flip], int]:
    """Return at most 200 of the articles whose answer changed, and how many there are.

    Those that the candidate lost come first, then those it won, then the others; each in the
    order of the articles.
    """
    changed = [n for n in range(len(candidate)) if candidate.said(n) != champion.said(n)]
    gain = candidate.right.astype(int) - champion.right.astype(int)
    changed.sort(key=lambda n: (-1, 1, 0).index(gain[n]))
    found = [
        Flip(
            uri=uris[n],
            title=titles[n],
            before=champion.said(n),
            after=candidate.said(n),
            truth=candidate.true(n),
        )
        for n in changed[:FLIPS_SHOWN]
    ]
    return found, len(changed)
