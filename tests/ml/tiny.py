"""An encoder of a few thousand weights, and articles whose label is one word in them."""

from __future__ import annotations

import numpy as np

from ml.encoder import EncoderConfig
from ml.finetuning import Labelled

CONFIG = EncoderConfig(
    vocabulary=50, length=32, width=16, heads=2, layers=2, feed_forward=32, epsilon=1e-12
)
SIGNS = (10, 11)  # the token ids that tell the two labels


def articles(count: int) -> Labelled:
    """Return `count` token sequences of 5 to 29 tokens, always the same ones."""
    draw = np.random.default_rng(0)
    sequences = []
    for n in range(count):
        ids = draw.integers(12, 50, draw.integers(5, 30)).astype(np.int32)
        ids[2] = SIGNS[n % 2]
        sequences.append(ids)
    return Labelled(sequences, np.arange(count) % 2)
