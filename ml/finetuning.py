"""Training an encoder end to end on labelled articles, a head on top.

The head starts as the one fitted on the frozen embeddings, so that the first steps do not spoil
what the encoder knows (Kumar et al., 2022, arXiv:2202.10054); from scratch it starts random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ml.batching import batches
from ml.descent import Task
from ml.encoder import Encoder
from ml.epochs import drop_words, pad, plan
from ml.optimisation import Recipe

SHARPNESS = 16.0
"""What multiplies the head's weights. Embeddings have length 1, so a head's weights are large, and
Adam moves every weight by about the rate a step: without it the head would lag behind."""

TOKEN_BUDGET = 4_096  # of a batch that is only read

IDS = tf.TensorSpec((None, None), tf.int32)
FLOATS = tf.TensorSpec((None, None), tf.float32)
INDICES = tf.TensorSpec((None,), tf.int32)


@dataclass(frozen=True)
class Labelled:
    """Tokenized articles with the index of their label, int `(N,)`."""

    sequences: Sequence[np.ndarray]
    truth: np.ndarray

    def take(self, rows: np.ndarray) -> Labelled:
        """Return some of the articles, by index or bool."""
        chosen = np.arange(len(self.sequences))[rows]
        return Labelled([self.sequences[n] for n in chosen], self.truth[chosen])


class TrainedHead:
    """A head in training: logits `SHARPNESS * (e W + b)`."""

    def __init__(
        self, width: int, labels: int, start: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        """Start from weights `(D, L)` and bias `(L,)`, or from random ones (Keras' seed)."""
        self._dense = keras.layers.Dense(labels, name="head", dtype="float32")
        self._dense.build((None, width))
        if start:
            self._dense.kernel.assign(start[0] / SHARPNESS)
            self._dense.bias.assign(start[1] / SHARPNESS)
        self.variables = list(self._dense.trainable_variables)

    def logits(self, embeddings: Any) -> Any:
        """Return the logits float32 `(B, L)` of embeddings `(B, D)`."""
        return self._dense(embeddings) * SHARPNESS

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights `(D, L)` and bias `(L,)`, sharpness included."""
        kernel, bias = (np.array(ops.convert_to_numpy(v)) for v in self.variables)
        return kernel * np.float32(SHARPNESS), bias * np.float32(SHARPNESS)


def moving(encoder: Encoder, *, table: bool) -> list[Any]:
    """Return the weights to train; without the token table unless `table`.

    A table of 30,000 rows takes a third of every step, and the articles reach few of its rows.
    """
    return [v for v in encoder.trainable_variables if table or "/tokens/" not in f"/{v.path}"]


def classification(
    encoder: Encoder,
    head: TrainedHead,
    train: Labelled,
    validation: Labelled,
    recipe: Recipe,
    *,
    table: bool,
    smoothing: float = 0.0,
) -> Task:
    """Return the task of telling the labels; its score is the accuracy on `validation`.

    `smoothing` is the share of the target that goes to all labels alike.
    """
    lengths = [len(ids) for ids in train.sequences]
    classes = int(head.variables[1].shape[0])

    def inputs(batch: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, ...]:
        ids, mask = pad([train.sequences[n] for n in batch])
        return ids, drop_words(mask, recipe.word_dropout, draw), train.truth[batch].astype(np.int32)

    def loss(ids: Any, mask: Any, truth: Any) -> Any:
        target = ops.one_hot(truth, classes) * (1.0 - smoothing) + smoothing / classes
        logits = head.logits(encoder(ids, mask))
        return ops.mean(keras.losses.categorical_crossentropy(target, logits, from_logits=True))

    embed = reader(encoder)

    def validate() -> float:
        logits = head.logits(embed(validation.sequences))
        return float(np.mean(ops.convert_to_numpy(logits).argmax(axis=1) == validation.truth))

    return Task(
        variables=[*moving(encoder, table=table), *head.variables],
        signature=[IDS, IDS, INDICES],
        plan=lambda epoch: plan(lengths, recipe.seed, epoch, recipe.rows, recipe.tokens),
        inputs=inputs,
        loss=loss,
        validate=validate,
    )


def reader(encoder: Any) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Return a function from token ids to embeddings float32 `(N, D)`, compiled once."""
    call = tf.function(encoder, input_signature=[IDS, IDS])

    def embed(sequences: Sequence[np.ndarray]) -> np.ndarray:
        rows: dict[int, np.ndarray] = {}
        for batch in batches([len(ids) for ids in sequences], TOKEN_BUDGET):
            ids, mask = pad([sequences[n] for n in batch])
            rows |= dict(zip(batch, call(ids, mask).numpy(), strict=True))
        return np.stack([rows[n] for n in range(len(sequences))])

    return embed
