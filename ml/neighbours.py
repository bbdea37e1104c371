"""The labelled articles nearest to a text, from the embeddings that trainings stored."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np

from ml import text
from ml.artifact import ArtifactError
from ml.datasets import Row, load_dataset
from ml.embedder import Embedder
from ml.embedding_store import stored


class Neighbour(msgspec.Struct, frozen=True):
    """A labelled article and the cosine of its embedding with the text's; `title` is how it begins."""

    uri: str
    title: str
    label: str
    split: str
    similarity: float


SAME = 0.99  # below this cosine two texts differ, so they need not be compared
SHOWN = 160  # characters of an article


class Neighbours:
    """The rows of one dataset version with their vectors, float16 `(N, D)` of length 1.

    `note` tells why there are none.
    """

    def __init__(self, rows: list[Row], vectors: np.ndarray, note: str = "") -> None:
        self._rows = rows
        self._vectors = vectors
        self.note = note

    @classmethod
    def load(cls, home: Path, dataset: str, embedder: Embedder) -> Neighbours:
        """Read a dataset and its stored vectors; nothing is encoded here: that takes minutes."""
        none = np.empty((0, embedder.manifest.width), np.float16)
        try:
            _, rows = load_dataset(home, dataset)
        except ArtifactError as error:
            return cls([], none, f"no nearest articles: {error}")
        known = stored(home, dataset, embedder.fingerprint, embedder.manifest.width)
        digests = [bytes.fromhex(text.digest(row.text)) for row in rows]
        found = [(row, known[d][0]) for row, d in zip(rows, digests, strict=True) if d in known]
        if not found:
            return cls(
                [],
                none,
                f"no nearest articles: {dataset} has no stored embeddings of {embedder.manifest.id} "
                "in this precision; `wireroom refit` stores them",
            )
        return cls([row for row, _ in found], np.stack([vector for _, vector in found]))

    def nearest(self, vector: np.ndarray, count: int, but: str) -> list[Neighbour]:
        """Return the `count` nearest rows to an embedding `(D,)`, nearest first.

        The text `but` itself is left out: an article of the dataset explains nothing by itself.
        """
        if not self._rows:
            return []
        cosines = self._vectors.astype(np.float32) @ vector.astype(np.float32)  # (N,)
        nearest = np.argsort(-cosines, kind="stable")
        others = (int(n) for n in nearest if cosines[n] < SAME or self._rows[n].text != but)
        order = list(itertools.islice(others, count))
        return [
            Neighbour(
                self._rows[n].uri,
                (self._rows[n].title or self._rows[n].text)[:SHOWN],
                ", ".join(self._rows[n].labels),
                self._rows[n].split,
                float(cosines[n]),
            )
            for n in order
        ]
