"""The `seed` encoder: small, and everything in it made here, tokenizer included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras

from ml.artifact import EncoderManifest
from ml.conversion import save_encoder
from ml.encoder import PRESETS, build, weights_of
from ml.tokenizer import train

RANDOM_SEED = 0  # any; one and the same, so that equal texts give an equal encoder


def make_seed(home: Path, texts: Iterable[str], languages: list[str]) -> EncoderManifest:
    """Save `seed` with a tokenizer trained on normalised `texts` and random weights.

    It is what pretraining starts from. Equal texts give equal weights and tokenizer; an equal
    digest in processes of their own, as jobs are, because OpenVINO numbers what one process names.
    """
    config = PRESETS["seed"]
    tokenizer = train(texts, config.vocabulary)
    keras.utils.set_random_seed(RANDOM_SEED)
    weights = weights_of(build(config))
    return save_encoder(home, "seed", config, weights, tokenizer, config.length, languages)
