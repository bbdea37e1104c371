"""How weights follow their gradients: optimiser, learning rate, clipping, decay.

The optimisers and the schedule are Keras' own; a recipe says which, in numbers that an artifact's
manifest can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import msgspec

OptimiserName = Literal["sgd", "adam", "adamw"]

UNDECAYED = ["bias", "gamma", "beta"]
"""Weights that decay would only bias: offsets, and the scales of a normalisation."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How to train: everything but data and model that decides the weights.

    The rate climbs from 0 to `rate` over the first `warm_up` of all steps, then falls as a cosine
    to 0. Gradients whose norm over all weights is above `clip` are scaled down to it. Training ends
    after `epochs`, or once `patience` epochs in a row have not done better on validation.
    """

    epochs: int
    rate: float
    optimiser: OptimiserName = "adamw"
    warm_up: float = 0.1
    decay: float = 0.01
    clip: float = 1.0
    patience: int = 5
    rows: int = 32  # articles a batch at most
    tokens: int = 4_096  # a batch at most, padding included
    word_dropout: float = 0.0  # share of an article's tokens that a step does not see
    seed: int = 0


def schedule(recipe: Recipe, steps: int) -> Any:
    """Return the learning rate as a function of the step, a Keras schedule over `steps`."""
    climb = max(1, round(steps * recipe.warm_up))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, steps - climb),
        warmup_target=recipe.rate,
        warmup_steps=climb,
    )


def optimiser(recipe: Recipe, steps: int, variables: Sequence[Any], replicas: int = 1) -> Any:
    """Return the optimiser for `variables`, with its own variables made.

    With several `replicas` it is given a share of the gradient in each, and Keras sums after it
    clips.
    """
    options = {
        "learning_rate": schedule(recipe, steps),
        "global_clipnorm": recipe.clip / replicas,
        "weight_decay": recipe.decay,
    }
    if recipe.optimiser == "sgd":
        made = keras.optimizers.SGD(momentum=0.9, nesterov=True, **options)
    elif recipe.optimiser == "adam":
        made = keras.optimizers.Adam(**options)
    else:
        made = keras.optimizers.AdamW(**options)
    made.exclude_from_weight_decay(var_names=UNDECAYED)
    made.build(variables)
    return made
