"""Which tokens carried an answer: integrated gradients through the encoder and the head.

The answer is a label's log-odds, which unlike its probability does not saturate. It is integrated
along the straight line from a baseline to the text's token embeddings (Sundararajan et al., 2017,
Axiomatic Attribution for Deep Networks, arXiv:1703.01365); by their completeness axiom the tokens'
shares sum to the difference of the two answers, which is checked.

The baseline is the text with every word masked, at the same length: an input of a kind that masked
language models were trained on, where all zeros are far from anything that they ever read. It is
not neutral, but less sure of itself: over 30 test articles of R8, masked texts were `crude` with a
probability of at most 0.75, while zeros were `acq` or `crude`, two in three of them with 0.9 or more.
Both took about as many steps. An encoder whose tokenizer has no mask token gets zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ml.probabilities import softmax

FIRST_STEPS = 16  # enough for 29 of 30 articles of R8; two in three are then within 1 %
MOST_STEPS = 256
TOLERANCE = 0.05
"""The largest difference between the sum of the shares and the difference that they explain."""

TOKENS_AT_ONCE = 1_536  # a batch of gradients holds every activation: 300 MB for minilm-l6


@dataclass(frozen=True)
class Attribution:
    """The shares of the tokens in one label's log-odds.

    `shares` float32 `(T,)`; `answer` and `baseline` are the log-odds with and without the words.
    `error` is |sum of shares - (answer - baseline)| / |answer - baseline|.
    """

    shares: np.ndarray
    answer: float
    baseline: float
    steps: int
    error: float


class Attributor:
    """Integrated gradients of one encoder; `mask_token` is None where it knows none."""

    def __init__(self, encoder: Any, mask_token: int | None) -> None:
        self._encoder = encoder
        self._mask_token = mask_token
        numbers = tf.TensorSpec((None, None, None), tf.float32)
        matrix, row = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.float32)
        place = tf.TensorSpec((), tf.int32)
        yes = tf.TensorSpec((), tf.bool)
        signature = [numbers, matrix, row, matrix, row, place, yes, yes]
        self._gradients: Any = tf.function(self._differentiate, input_signature=signature)

    def attribute(
        self,
        ids: np.ndarray,
        kept: np.ndarray,
        head: Sequence[np.ndarray],
        label: int,
        *,
        several: bool,
    ) -> Attribution:
        """Return the shares of the tokens `ids`, int32 `(T,)`, in the log-odds of `label`.

        `kept`, bool `(T,)`, are special tokens: they stand in the baseline too and get 0. `head` is
        its matrix `(D, L)` and bias `(L,)`, and, where it has one, the hidden layer before them,
        `(D, H)` and `(H,)`; `several` tells that its labels exclude each other not.
        """
        text = np.asarray(self._encoder.tokens(ids[None]), np.float32)  # (1, T, D)
        baseline = np.where(kept[None, :, None], text, self._nothing(text))
        way = text - baseline
        layers = [np.asarray(part, np.float32) for part in head]
        deep = len(layers) > 2
        if not deep:
            layers += [np.zeros((layers[0].shape[0], 0), np.float32), np.zeros(0, np.float32)]
        bias = layers[1]
        alone = several or len(bias) == 1

        def at(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            inputs = baseline + points[:, None, None].astype(np.float32) * way
            answers, slopes = self._gradients(inputs, *layers, label, deep, alone)
            return answers.numpy(), slopes.numpy()

        ends, _ = at(np.array([0.0, 1.0]))
        at_once = max(1, TOKENS_AT_ONCE // len(ids))
        steps = FIRST_STEPS
        while True:
            # Gauss-Legendre: a smooth path needs a tenth of the steps that a Riemann sum does.
            points, lengths = np.polynomial.legendre.leggauss(steps)
            points, lengths = (points + 1) / 2, lengths / 2
            mean = np.zeros(way.shape[1:])  # (T, D)
            for first in range(0, steps, at_once):
                part = slice(first, first + at_once)
                _, slopes = at(points[part])
                mean += np.einsum("b,btd->td", lengths[part], slopes)
            shares = (mean * way[0]).sum(axis=-1)
            error = completeness_error(shares, float(ends[1]), float(ends[0]))
            if error <= TOLERANCE or steps >= MOST_STEPS:
                return Attribution(
                    shares.astype(np.float32), float(ends[1]), float(ends[0]), steps, error
                )
            steps *= 2

    def attention(self, ids: np.ndarray) -> np.ndarray:
        """Return how much the embedding looks at each token, float32 `(T,)` of sum 1.

        Attention rollout (Abnar and Zuidema, 2020, arXiv:2005.00928): the heads' mean, with half for
        the way around each layer, multiplied up through the layers. It shows where the encoder
        looks, whatever the label; what an answer rests on is what `attribute` tells.
        """
        encoder = self._encoder
        x = encoder.embedding_norm(
            encoder.tokens(ids[None]) + encoder.positions(np.arange(len(ids)))
        )
        itself: np.ndarray = np.eye(len(ids), dtype=np.float32)
        nothing_masked = tf.zeros((1, 1, 1, len(ids)))
        flow = itself  # (T, T): how much of each token of the text is in each state
        for block in encoder.blocks:
            flow = (looks(block.attention, x).mean(axis=0) + itself) / 2 @ flow
            x = block(x, nothing_masked)
        return np.asarray(flow.mean(axis=0), np.float32)

    def _nothing(self, text: np.ndarray) -> np.ndarray:
        if self._mask_token is None:
            return np.zeros_like(text)
        masked = np.full(text.shape[:2], self._mask_token, np.int32)
        return np.asarray(self._encoder.tokens(masked), np.float32)

    def _differentiate(
        self,
        x: Any,
        weights: Any,
        bias: Any,
        hidden: Any,
        hidden_bias: Any,
        label: Any,
        deep: Any,
        alone: Any,
    ) -> Any:
        """Return the log-odds `(B,)` and their gradients `(B, T, D)` at embeddings `(B, T, D)`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            embeddings = embed(self._encoder, x)  # (B, D)
            read = tf.nn.relu(embeddings @ hidden + hidden_bias) if deep else embeddings
            logits = read @ weights + bias  # (B, L)
            own = tf.gather(logits, label, axis=1)
            rest = logits - tf.one_hot(label, tf.shape(logits)[1], on_value=1e9, off_value=0.0)
            # What speaks for the label against all others together: the logit of its probability.
            answers = own if alone else own - tf.reduce_logsumexp(rest, axis=1)
        return answers, tape.gradient(answers, x)


def looks(layer: Any, x: Any) -> np.ndarray:
    """Return how much each token of `x`, `(1, T, D)`, looks at each other, `(H, T, T)`."""
    length, width = x.shape[1], x.shape[2]
    query, key = (
        np.asarray(part(x))[0].reshape(length, layer.heads, width // layer.heads)
        for part in (layer.query, layer.key)
    )
    scores = np.einsum("thd,shd->hts", query, key) * layer.size**-0.5
    return softmax(scores)


def embed(encoder: Any, x: Any) -> Any:
    """Return the embeddings `(B, D)` of token embeddings `(B, T, D)`, all of them real tokens."""
    x = encoder.embedding_norm(x + encoder.positions(tf.range(tf.shape(x)[1])))
    nothing_masked = tf.zeros((tf.shape(x)[0], 1, 1, tf.shape(x)[1]))
    for block in encoder.blocks:
        x = block(x, nothing_masked)
    return tf.math.l2_normalize(tf.reduce_mean(x, axis=1), axis=-1)


def completeness_error(shares: np.ndarray, answer: float, baseline: float) -> float:
    """Return how far the shares' sum lies from what they explain, as a share of that."""
    explained = answer - baseline
    return abs(float(shares.sum()) - explained) / max(abs(explained), 1e-6)
