"""A split by time beside the random one: fitted on yesterday's articles, tested on today's.

A random split puts articles of one story on both sides, and no new story on one; what a head
meets once it is deployed is news. The difference to the random split says how much it forgets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.evaluation import Answers
from ml.evaluation_report import TimeOrdered
from ml.evaluation_slices import LEAST_ARTICLES
from ml.evaluation_tables import Measured
from ml.training import TrainingError, fit_head

OLDER = 0.8  # of the dated articles train
VALIDATION_EVERY = 10  # one in so many of the older ones chooses strength and temperature


def order(published: Sequence[str | None]) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the older 80 % of the dated articles and of the newest 20 %.

    Articles of one moment stay together, on the newer side.
    """
    dated = sorted((moment, n) for n, moment in enumerate(published) if moment)
    moments = [moment for moment, _ in dated]
    cut = int(len(dated) * OLDER)
    while 0 < cut < len(dated) and moments[cut - 1] == moments[cut]:
        cut -= 1
    indices = np.array([n for _, n in dated], int)
    return indices[:cut], indices[cut:]


def time_ordered(
    embeddings: np.ndarray, labels: Sequence[str], published: Sequence[str | None]
) -> TimeOrdered | None:
    """Fit on the older articles and test on the newest; None where too few are dated.

    `embeddings` `(N, D)`, with labels and times of publication (RFC 3339, UTC) of the same N.
    """
    older, newest = order(published)
    if len(newest) < LEAST_ARTICLES or len(older) < LEAST_ARTICLES:
        return None
    splits = ["validation" if n % VALIDATION_EVERY == 0 else "train" for n in range(len(older))]
    label = np.asarray(labels)
    try:
        fit = fit_head(embeddings[older], label[older].tolist(), splits)
    except TrainingError:  # the older articles have one label alone
        return None
    scores = fit.scores(embeddings[newest])
    measured = Measured.of(Answers.single(label[newest].tolist(), scores, fit.labels))
    return TimeOrdered(
        train=len(older),
        test=len(newest),
        since=str(published[newest[0]]),
        accuracy=measured.figure("accuracy"),
        macro_f1=measured.figure("macro_f1"),
    )
