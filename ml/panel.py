"""The heads of one encoder, answering together: one matrix product, whatever their number.

A hundred heads asked one after another cost more in calls than in arithmetic. Every answer is
exactly what its head gives alone: logits are exact sums (ml/head.py), and what follows them is
computed row by row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.answers import CONFIDENCE_DIGITS, Answer, answers
from ml.head import Head
from ml.probabilities import softmax


class Panel:
    """Heads that read the same embeddings; never changed."""

    def __init__(self, heads: Sequence[Head]) -> None:
        """Put the heads side by side; raises ValueError where their widths differ."""
        self._heads = tuple(heads)
        self._weights = np.concatenate([head.weights for head in heads], axis=1)  # (D, sum of C)
        self._bias = np.concatenate([head.bias for head in heads])
        ends = np.cumsum([0, *(len(head.bias) for head in heads)]).tolist()
        self._columns = [slice(*ends[n : n + 2]) for n in range(len(heads))]
        alike: dict[int, list[int]] = {}  # plain heads by their number of labels
        for n, head in enumerate(heads):
            if is_plain(head):
                alike.setdefault(len(head.bias), []).append(n)
        self._alike = [_Alike(heads, places, self._columns) for places in alike.values()]
        self._others = [n for n, head in enumerate(heads) if not is_plain(head)]

    def answers(self, embeddings: np.ndarray) -> list[list[list[Answer]]]:
        """Return by head, then by row of float16 `(B, D)`, what `ml.answers` makes of its scores."""
        first = embeddings.astype(np.float64) @ self._weights + self._bias  # (B, sum of C)
        logits = first.astype(np.float32)
        answered: list[list[list[Answer]]] = [[] for _ in self._heads]
        for alike in self._alike:
            for n, given in alike.answers(logits):
                answered[n] = given
        for n in self._others:
            head = self._heads[n]
            own = np.ascontiguousarray(first[:, self._columns[n]])
            answered[n] = answers(head, head.probabilities(head.logits(own)))
        return answered


def is_plain(head: Head) -> bool:
    """Tell whether a head's answer is its likeliest label by softmax, always given."""
    manifest = head.manifest
    return (
        head.is_linear
        and manifest.kind == "multinomial"
        and manifest.abstain_below is None
        and not manifest.isotonic
        and not manifest.tree
    )


class _Alike:
    """Plain heads (H of them) of one number of labels L, computed in one go."""

    def __init__(
        self, heads: Sequence[Head], places: Sequence[int], columns: Sequence[slice]
    ) -> None:
        self._places = places
        self._labels = [heads[n].manifest.labels for n in places]
        self._columns = np.concatenate(
            [np.arange(columns[n].start, columns[n].stop) for n in places]
        )
        thresholds = [heads[n].manifest.threshold for n in places]
        self._thresholds = np.array([np.inf if t is None else t for t in thresholds])[:, None]

    def answers(self, logits: np.ndarray) -> list[tuple[int, list[list[Answer]]]]:
        """Return each head's place and its answers to every row of `(B, sum of L)`."""
        # Laid out as when a head is alone: the order of a sum depends on it.
        own = np.ascontiguousarray(logits[:, self._columns])
        own = own.reshape(len(logits), len(self._places), len(self._labels[0]))  # (B, H, L)
        scores = softmax(own)
        best = scores.argmax(axis=2).T.tolist()  # (H, B)
        # As Python rounds: a float32 times a million is exact in float64.
        confidences = np.round(scores.max(axis=2).T.astype(np.float64), CONFIDENCE_DIGITS)
        accepted = (confidences >= self._thresholds).tolist()
        return [
            (
                place,
                [
                    [Answer(labels[label], confidence, "accept" if accepts else "review")]
                    for label, confidence, accepts in zip(*row, strict=True)
                ],
            )
            for place, labels, *row in zip(
                self._places, self._labels, best, confidences.tolist(), accepted, strict=True
            )
        ]
