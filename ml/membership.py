"""An attack on a head: does it give away which articles it was fitted on?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.training import Fit, TrainingError


def membership_auc(
    fit: Fit, embeddings: np.ndarray, labels: Sequence[str], member: np.ndarray
) -> float:
    """Return how well the loss tells articles that a head was fitted on from others, 0.5 is not.

    The loss-threshold attack (Yeom et al., 2018) as the area under its ROC curve; `member` is
    bool `(N,)`. Articles of a label that the head does not know are left out.
    """
    place = {label: n for n, label in enumerate(fit.labels)}
    known = np.array([label in place for label in labels])
    truth = np.array([place[label] for label in labels if label in place])
    scores = fit.scores(embeddings[known])
    right = scores[np.arange(len(truth)), truth].astype(np.float64)
    inside, outside = right[member[known]], right[~member[known]]
    if not len(inside) or not len(outside):
        raise TrainingError("the attack needs articles of both kinds")
    # Mann-Whitney's statistic; ties count half.
    ranked = np.sort(outside)
    below = np.searchsorted(ranked, inside, side="left")
    upto = np.searchsorted(ranked, inside, side="right")
    return float((below + upto).mean() / 2 / len(outside))
