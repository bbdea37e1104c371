"""From texts to batches with Hugging Face's tokenizer, as documented and as an expert would."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

os.environ["USE_TF"] = "0"  # transformers must not look for TensorFlow

import numpy as np
from transformers import AutoTokenizer

from tests.bench.peers.conversation import BATCH, Encode, by_length, in_arrival_order, pad

WINDOW = 256  # as the model's sentence_bert_config.json
MULTIPLE = 8  # of the padded length, by an expert


def as_documented(
    folder: Path, wanted: Collection[str], run: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> Encode:
    """Return an encoder of texts in arrival order, each batch padded to its longest.

    `folder` holds the tokenizer. `run` takes the `wanted` inputs of a batch and returns the tokens'
    states, `(B, T, D)`; they are pooled in numpy.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encode(texts: list[str]) -> np.ndarray:
        rows = []
        for places in in_arrival_order(texts):
            inputs = tokenizer(
                [texts[n] for n in places],
                padding=True,
                truncation=True,
                max_length=WINDOW,
                return_tensors="np",
            )
            states = run({k: v for k, v in inputs.items() if k in wanted})
            rows.append(mean_of_tokens(states, inputs["attention_mask"]))
        return np.concatenate(rows)

    return encode


def sorted_batches(
    folder: Path,
) -> Callable[[list[str]], Iterator[tuple[list[int], tuple[np.ndarray, np.ndarray]]]]:
    """Return what cuts texts into batches of like length: their places, and ids and mask."""
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def cut(texts: list[str]) -> Iterator[tuple[list[int], tuple[np.ndarray, np.ndarray]]]:
        ids = tokenizer(texts, truncation=True, max_length=WINDOW)["input_ids"]
        for places in by_length([len(i) for i in ids], BATCH):
            yield places, pad([ids[n] for n in places], MULTIPLE)

    return cut


def mean_of_tokens(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean of the real tokens' states `(B, T, D)`, of length 1: float32 `(B, D)`."""
    weights = mask[..., None].astype(np.float32)  # (B, T, 1)
    rows = (states * weights).sum(axis=1) / weights.sum(axis=1)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
