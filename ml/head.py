"""The head of a classifier: one matrix from an embedding to calibrated label probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ml.artifact import ArtifactError, ModelManifest, check_files, load_manifest, read_tensors
from ml.probabilities import Probabilities

HEAD_FILE = "head.safetensors"
MAX_LABELS = 100_000

SUMMED_BITS = 27
"""Of a column's norm are kept in its weights. Float16 numbers are multiples of 2**-24, so a product
with such a weight, and any sum of them by a unit vector, needs at most 52 bits: float64 holds it."""


class Head:
    """One classifier's head: `weights` float32 `(D, L)`, `bias` float32 `(L,)`."""

    def __init__(self, manifest: ModelManifest, weights: np.ndarray, bias: np.ndarray) -> None:
        """Check the shapes against the manifest's labels; raises ArtifactError."""
        labels = len(manifest.labels)
        if not 1 <= labels <= MAX_LABELS:
            raise ArtifactError(f"{manifest.name}: expected 1 to {MAX_LABELS} labels, got {labels}")
        if weights.ndim != 2 or weights.shape[1] != labels or bias.shape != (labels,):
            raise ArtifactError(
                f"{manifest.name}: {labels} labels, but weights {weights.shape}, bias {bias.shape}"
            )
        if not manifest.temperature > 0:
            raise ArtifactError(
                f"{manifest.name}: temperature {manifest.temperature} is not over 0"
            )
        self.manifest = manifest
        try:
            self.probabilities = Probabilities(manifest)
        except ValueError as error:
            raise ArtifactError(f"{manifest.name}: {error}") from error
        # The temperature divides the logits, so it is folded in once.
        self.weights = summable(weights / manifest.temperature)  # float64 (D, L)
        self.bias = (bias / manifest.temperature).astype(np.float64)

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read and check the model version in folder `path`; raises ArtifactError."""
        manifest = load_manifest(path, ModelManifest)
        check_files(path, manifest)
        if HEAD_FILE not in manifest.files:
            raise ArtifactError(f"{manifest.name} has no {HEAD_FILE}")
        tensors = read_tensors(path / HEAD_FILE)
        if sorted(tensors) != ["bias", "weights"]:
            raise ArtifactError(
                f"{path / HEAD_FILE}: expected bias, weights; got {sorted(tensors)}"
            )
        return cls(manifest, tensors["weights"], tensors["bias"])

    @property
    def width(self) -> int:
        """Length of the embeddings it reads."""
        return int(self.weights.shape[0])

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities, float32 `(B, L)`, of float16 embeddings `(B, D)`."""
        logits = embeddings.astype(np.float64) @ self.weights + self.bias
        return self.probabilities(logits.astype(np.float32))

    def decide(self, confidence: float) -> Literal["accept", "review"]:
        """Tell whether a label of this confidence is accepted without review."""
        threshold = self.manifest.threshold
        return "accept" if threshold is not None and confidence >= threshold else "review"


def summable(weights: np.ndarray) -> np.ndarray:
    """Return weights `(D, L)` rounded so that a unit vector's product sums exactly, in any order.

    A matrix product sums in an order that depends on its shape and on the processor. With this
    none of that shows: an article scored alone, in a batch or beside a hundred other heads gets
    the same bits. What is rounded off is 2**-27 of a column's norm, about what float32 rounds.
    """
    norms = np.linalg.norm(weights.astype(np.float64), axis=0)  # (L,)
    _, exponents = np.frexp(np.maximum(norms, np.finfo(np.float32).tiny))
    steps = np.ldexp(1.0, exponents - SUMMED_BITS)
    return np.asarray(np.round(weights / steps) * steps)
