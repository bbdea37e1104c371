"""The order of a training: which articles make which step, the same in every process.

Everything follows from (seed, epoch, step), so a training that goes on after a kill sees what it
would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.batching import bucket

POOL = 8  # batches that are sorted by length together: little padding, and still a random order


def plan(lengths: Sequence[int], seed: int, epoch: int, rows: int, tokens: int) -> list[np.ndarray]:
    """Return the batches of one epoch, each the indices of some texts; every text once.

    A batch has at most `rows` texts, and at most `tokens` tokens padding included unless a single
    text is longer. The number of batches depends on the epoch.
    """
    order = generator(seed, epoch).permutation(len(lengths))
    length = np.asarray(lengths)
    planned: list[np.ndarray] = []
    for start in range(0, len(order), rows * POOL):
        pool = order[start : start + rows * POOL]
        pool = pool[np.argsort(-length[pool], kind="stable")]
        while len(pool):
            fit = min(rows, max(1, tokens // bucket(int(length[pool[0]]))))
            planned.append(pool[:fit])
            pool = pool[fit:]
    shuffled = generator(seed, epoch, 1).permutation(len(planned))
    return [planned[n] for n in shuffled]


def generator(*key: int) -> np.random.Generator:
    """Return the random numbers that belong to `key`, e.g. (seed, epoch, step)."""
    return np.random.default_rng(key)


def pad(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and mask, int32 `(B, T)`; T is the bucket of the longest."""
    shape = (len(sequences), bucket(max(len(ids) for ids in sequences)))
    ids, mask = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


def drop_words(mask: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """Return the mask `(B, T)` without a random `share` of the tokens; the first always stays."""
    kept = draw.random(mask.shape) >= share
    kept[:, 0] = True
    return (mask * kept).astype(np.int32)
