"""Distillation: a small encoder learns to place texts as a large one does, without any label.

The student's embedding, projected to the teacher's width, is to point where the teacher's does
(Reimers and Gurevych, 2020, arXiv:2004.09813, with the cosine in place of the squared error).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import msgspec
import numpy as np
from keras import ops

from ml.descent import Task
from ml.encoder import Encoder, EncoderConfig
from ml.epochs import drop_words, pad, plan
from ml.finetuning import FLOATS, IDS, moving, reader
from ml.optimisation import Recipe


def every_other(
    config: EncoderConfig, weights: dict[str, np.ndarray]
) -> tuple[EncoderConfig, dict[str, np.ndarray]]:
    """Return an encoder of every other block of a deeper one, as DistilBERT starts (Sanh, 2019)."""
    kept = list(range(0, config.layers, 2))
    shallow = {k: v for k, v in weights.items() if not k.startswith("block_")}
    for new, old in enumerate(kept):
        for name, tensor in weights.items():
            if name.startswith(f"block_{old}/"):
                shallow[f"block_{new}/" + name.split("/", 1)[1]] = tensor
    return msgspec.structs.replace(config, layers=len(kept)), shallow


def distillation(
    student: Encoder,
    sequences: Sequence[np.ndarray],
    taught: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    recipe: Recipe,
    *,
    table: bool,
) -> Task:
    """Return the task of matching the teacher's embeddings `taught`, `(N, D)`.

    `train` and `validation` are indices of texts; the score is the mean cosine on `validation`.
    The projection starts as the identity where the widths are equal.
    """
    width = taught.shape[1]
    project = keras.layers.Dense(width, use_bias=False, name="project", dtype="float32")
    project.build((None, student.config.width))
    if width == student.config.width:
        project.kernel.assign(np.eye(width, dtype="float32"))
    lengths = [len(sequences[n]) for n in train]
    targets = taught.astype(np.float32)

    def inputs(batch: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, ...]:
        rows = train[batch]
        ids, mask = pad([sequences[n] for n in rows])
        return ids, drop_words(mask, recipe.word_dropout, draw), targets[rows]

    def loss(ids: Any, mask: Any, target: Any) -> Any:
        return 1.0 - ops.mean(_cosine(project(student(ids, mask)), target))

    embed = reader(student)

    def validate() -> float:
        found = project(embed([sequences[n] for n in validation]))
        return float(ops.convert_to_numpy(ops.mean(_cosine(found, targets[validation]))))

    return Task(
        variables=[*moving(student, table=table), *project.trainable_variables],
        signature=[IDS, IDS, FLOATS],
        plan=lambda epoch: plan(lengths, recipe.seed, epoch, recipe.rows, recipe.tokens),
        inputs=inputs,
        loss=loss,
        validate=validate,
    )


def _cosine(a: Any, b: Any) -> Any:
    return ops.sum(ops.normalize(a, axis=-1) * ops.normalize(b, axis=-1), axis=-1)
