"""Whether a head's probabilities can be believed: of claims of 0.8, do 8 in 10 come true?"""

from __future__ import annotations

import numpy as np

from ml.evaluation_report import Bin

BINS = 15  # the usual number for the expected calibration error


def gaps(claims: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return float64 `(N, BINS)`: by bin, what came true of an article's claims less what was claimed.

    `claims` are probabilities `(N, K)` and `held` bool `(N, K)` whether each came true.
    """
    table = np.zeros((len(claims), BINS))
    rows = np.broadcast_to(np.arange(len(claims))[:, None], claims.shape)
    np.add.at(table, (rows, _bins(claims)), held.astype(np.float64) - claims)
    return table


def ece(claims: np.ndarray, held: np.ndarray) -> float:
    """Return the expected calibration error, 15 bins of equal width (Guo et al., 2017).

    0 says: of the answers given with confidence p, a share p is right. Shapes as in `gaps`.
    """
    return float(np.abs(gaps(claims, held).sum(axis=0)).sum() / claims.size)


def reliability(claims: np.ndarray, held: np.ndarray) -> list[Bin]:
    """Return the bins that hold any claim, for a plot; shapes as in `gaps`."""
    bins, flat, true = _bins(claims).ravel(), claims.ravel(), held.ravel()
    found = []
    for n in range(BINS):
        here = bins == n
        if here.any():
            confidence, came_true = float(flat[here].mean()), float(true[here].mean())
            found.append(Bin(n / BINS, (n + 1) / BINS, int(here.sum()), confidence, came_true))
    return found


def _bins(claims: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum((claims * BINS).astype(int), BINS - 1))
