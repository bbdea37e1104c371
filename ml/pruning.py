"""Magnitude pruning: the smallest weights of every matrix become 0 while training goes on.

The share of zeros climbs as a cubic (Zhu and Gupta, 2017, arXiv:1710.01878), steep at first and flat
at its end, so that what remains can make up for what went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ml.descent import Task
from ml.encoder import Encoder

CLIMB = 0.6  # of all steps; the rest trains at the full share
EVERY = 16  # steps between two choices of what is pruned; choosing takes as long as a step


def pruned_share(step: int, steps: int, final: float) -> float:
    """Return the share of a matrix that is 0 after `step` of `steps`."""
    progress = min(1.0, step / max(1.0, steps * CLIMB))
    return final * (1.0 - (1.0 - progress) ** 3)


def kernels(encoder: Encoder) -> list[Any]:
    """Return the matrices that are pruned: those of the blocks; the table is looked up, not multiplied."""
    return [v for v in encoder.trainable_variables if v.path.endswith("/kernel")]


def smallest(weights: np.ndarray, share: float) -> np.ndarray:
    """Return a float32 mask of the shape of `weights`: 0 on the `share` of least magnitude."""
    count = round(weights.size * share)
    mask = np.ones(weights.size, np.float32)
    mask[np.argsort(np.abs(weights), axis=None, kind="stable")[:count]] = 0.0
    return mask.reshape(weights.shape)


def zeros(matrices: Sequence[Any]) -> float:
    """Return the share of zeros in all matrices together."""
    arrays = [np.array(ops.convert_to_numpy(v)) for v in matrices]
    return sum(int((a == 0).sum()) for a in arrays) / sum(a.size for a in arrays)


def pruning(task: Task, encoder: Encoder, final: float) -> Task:
    """Return `task` with the encoder's matrices pruned to the share `final` on the way.

    A validation before the share is reached counts as 0: its weights are not yet the ones wanted.
    """
    matrices = kernels(encoder)
    masks = [
        keras.Variable(np.ones(v.shape, "float32"), trainable=False, name=f"mask_{n}")
        for n, v in enumerate(matrices)
    ]
    reached = keras.Variable(np.zeros((), "float32"), trainable=False, name="pruned_share")

    def apply() -> None:
        for matrix, mask in zip(matrices, masks, strict=True):
            matrix.assign(matrix * mask)

    applied = tf.function(apply)

    def ended() -> bool:
        return bool(reached.numpy() == np.float32(final))

    def after_step(step: int, steps: int) -> None:
        share = pruned_share(step, steps, final)
        if not ended() and (step % EVERY == 0 or share == final):
            for matrix, mask in zip(matrices, masks, strict=True):
                mask.assign(smallest(np.array(ops.convert_to_numpy(matrix)), share))
            reached.assign(share)
        applied()

    validate = task.validate

    def judged() -> float:
        assert validate is not None
        return validate() if ended() else 0.0

    return replace(
        task,
        after_step=after_step,
        validate=judged if validate else None,
        state=[*masks, reached],
    )
