"""Masked-language-model pretraining: what unlabelled articles teach (Devlin et al., 2019).

A share of the tokens is hidden and guessed from the others. The guess is the token table itself,
transposed: what is learnt of a word's neighbours goes into the word's own row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ml.descent import Task
from ml.encoder import Encoder
from ml.epochs import pad, plan
from ml.finetuning import IDS, INDICES
from ml.optimisation import Recipe
from ml.tokenizer import SPECIAL

MASKED = 0.15  # BERT's share of tokens that are guessed
SHOWN_MASK, SHOWN_OTHER = 0.8, 0.1  # of those: as [MASK], as a random token; the rest as they are
MASK_ID = SPECIAL.index("[MASK]")


def hide(
    ids: np.ndarray, mask: np.ndarray, vocabulary: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hide tokens of ids and mask, both `(B, T)`.

    Returns the ids as shown, where the hidden ones are in the flat batch, and what they were; at
    least one. Special tokens are never hidden.
    """
    real = (mask == 1) & (ids >= len(SPECIAL))
    chosen = real & (draw.random(ids.shape) < MASKED)
    if not chosen.any():
        chosen.flat[int(np.argmax(real))] = True
    how = draw.random(ids.shape)
    others = draw.integers(len(SPECIAL), vocabulary, ids.shape)
    shown = np.where(chosen & (how < SHOWN_MASK), MASK_ID, ids)
    shown = np.where(chosen & (how >= 1 - SHOWN_OTHER), others, shown)
    places = np.flatnonzero(chosen)
    return shown.astype(np.int32), places.astype(np.int32), ids.reshape(-1)[places]


class Guesser:
    """From hidden tokens' states to a logit for every token of the table."""

    def __init__(self, encoder: Encoder) -> None:
        config = encoder.config
        self._encoder, self._width = encoder, config.width
        self._dense = keras.layers.Dense(config.width, activation="gelu", name="guess")
        self._norm = keras.layers.LayerNormalization(epsilon=config.epsilon, name="guess_norm")
        self._dense.build((None, config.width))
        self._norm.build((None, config.width))
        self._bias = keras.Variable(np.zeros(config.vocabulary, "float32"), name="guess_bias")
        self.variables = [*self._dense.variables, *self._norm.variables, self._bias]

    def logits(self, ids: Any, mask: Any, places: Any) -> Any:
        """Return float32 logits `(P, V)` of the tokens at `places` `(P,)` of the flat batch."""
        states = ops.reshape(self._encoder.states(ids, mask), (-1, self._width))  # (B * T, D)
        guessed = self._norm(self._dense(ops.take(states, places, axis=0)))  # (P, D)
        table = ops.cast(self._encoder.tokens.embeddings, guessed.dtype)
        return ops.cast(ops.matmul(guessed, ops.transpose(table)), "float32") + self._bias


def masked_language_model(
    encoder: Encoder, sequences: Sequence[np.ndarray], recipe: Recipe
) -> Task:
    """Return the task of guessing hidden tokens; every epoch hides others."""
    guesser = Guesser(encoder)
    lengths = [len(ids) for ids in sequences]

    def inputs(batch: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, ...]:
        ids, mask = pad([sequences[n] for n in batch])
        shown, places, hidden = hide(ids, mask, encoder.config.vocabulary, draw)
        return shown, mask, places, hidden

    def loss(ids: Any, mask: Any, places: Any, hidden: Any) -> Any:
        logits = guesser.logits(ids, mask, places)
        return ops.mean(
            keras.losses.sparse_categorical_crossentropy(hidden, logits, from_logits=True)
        )

    return Task(
        variables=[*encoder.trainable_variables, *guesser.variables],
        signature=[IDS, IDS, INDICES, INDICES],
        plan=lambda epoch: plan(lengths, recipe.seed, epoch, recipe.rows, recipe.tokens),
        inputs=inputs,
        loss=loss,
    )
