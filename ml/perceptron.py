"""A head of two layers on frozen embeddings: for labels that no single plane tells apart.

Trained in numpy alone with AdamW (Loshchilov and Hutter, 2019), cosine decay and dropout, from fixed
seeds, so that the same inputs give the same weights. Two networks are trained and their logits
averaged, which is one network with both hidden layers side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.probabilities import sigmoid

HIDDEN = 512  # of each network
SEEDS = (0, 1)  # a third network gained nothing on Reuters-90
EPOCHS = 20
BATCH = 128
DROPOUT = 0.6  # chosen with the rest by cross-validation on the training articles of Reuters-90
RATE = 3e-3
DECAY = 1e-2
BETAS = (0.9, 0.999)
RARE = -3.0  # first logit of every label: most labels are absent from most articles


@dataclass(frozen=True)
class Perceptron:
    """`hidden` float32 `(D, H)`, `hidden_bias` `(H,)`, `weights` `(H, L)`, `bias` `(L,)`."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the logits float32 `(B, L)` of embeddings `(B, D)`."""
        features = np.maximum(embeddings.astype(np.float32) @ self.hidden + self.hidden_bias, 0)
        return np.asarray(features @ self.weights + self.bias)


def fit(embeddings: np.ndarray, truth: np.ndarray) -> Perceptron:
    """Train on embeddings `(N, D)` and which labels each has, bool `(N, L)`."""
    members = [_train(embeddings, truth, seed) for seed in SEEDS]
    share = np.float32(1 / len(members))
    return Perceptron(
        np.hstack([one.hidden for one in members]),
        np.hstack([one.hidden_bias for one in members]),
        np.vstack([one.weights for one in members]) * share,
        np.sum([one.bias for one in members], axis=0) * share,
    )


def _train(embeddings: np.ndarray, truth: np.ndarray, seed: int) -> Perceptron:
    draw = np.random.default_rng(seed)
    articles, width = embeddings.shape
    # Of length 1, their parts are about width**-0.5; the first layer wants parts about 1.
    scale = np.float32(width**0.5)
    inputs, target = embeddings.astype(np.float32) * scale, truth.astype(np.float32)
    weights = [
        draw.standard_normal((width, HIDDEN), np.float32) * np.float32((2 / width) ** 0.5),
        np.zeros(HIDDEN, np.float32),
        draw.standard_normal((HIDDEN, truth.shape[1]), np.float32) * np.float32(HIDDEN**-0.5),
        np.full(truth.shape[1], RARE, np.float32),
    ]
    means = [np.zeros_like(w) for w in weights]
    squares = [np.zeros_like(w) for w in weights]
    steps, step = EPOCHS * -(-articles // BATCH), 0
    for _ in range(EPOCHS):
        order = draw.permutation(articles)
        for start in range(0, articles, BATCH):
            batch = order[start : start + BATCH]
            kept = draw.random((len(batch), HIDDEN), np.float32) >= DROPOUT
            gradients = _gradients(weights, inputs[batch], target[batch], kept)
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for n, gradient in enumerate(gradients):
                means[n] += (1 - BETAS[0]) * (gradient - means[n])
                squares[n] += (1 - BETAS[1]) * (gradient * gradient - squares[n])
                mean = means[n] / (1 - BETAS[0] ** step)
                square = squares[n] / (1 - BETAS[1] ** step)
                decay = DECAY * weights[n] if weights[n].ndim == 2 else 0  # never the biases
                weights[n] -= np.float32(rate) * (mean / (np.sqrt(square) + 1e-8) + decay)
    return Perceptron(weights[0] * scale, weights[1], weights[2], weights[3])


def _gradients(
    weights: list[np.ndarray], inputs: np.ndarray, target: np.ndarray, kept: np.ndarray
) -> list[np.ndarray]:
    """Return the gradients of the mean cross-entropy, in the order of `weights`."""
    before = inputs @ weights[0] + weights[1]  # (B, H)
    mask = kept * np.float32(1 / (1 - DROPOUT))
    features = np.maximum(before, 0) * mask
    error = (sigmoid(features @ weights[2] + weights[3]) - target) / np.float32(len(inputs))
    back = error @ weights[2].T * mask * (before > 0)  # (B, H)
    return [inputs.T @ back, back.sum(axis=0), features.T @ error, error.sum(axis=0)]
