"""The head of a classifier: from an embedding to calibrated label probabilities.

Most heads are one matrix. A head of two layers has a hidden one before it.
"""

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

FEATURE_STEP = 2.0**-14
"""Features of a hidden layer are multiples of it, so that with features of length up to 2,000 the second
layer sums exactly too."""

LINEAR, DEEP = ["bias", "weights"], ["bias", "hidden", "hidden_bias", "weights"]


class Head:
    """One classifier's head.

    `weights` float64 `(D, C)` and `bias` `(C,)` are of the layer that reads embeddings; C is the number
    of labels, or of features where there is a second layer.
    """

    def __init__(
        self,
        manifest: ModelManifest,
        weights: np.ndarray,
        bias: np.ndarray,
        hidden: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Check the shapes against the manifest's labels; raises ArtifactError.

        `weights` are `(D, L)`, `bias` `(L,)`; behind a `hidden` layer, `(D, H)` and `(H,)`, the weights
        are `(H, L)`.
        """
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
        self.weights = summable(weights / manifest.temperature)
        self.bias = (bias / manifest.temperature).astype(np.float64)
        self._second: tuple[np.ndarray, np.ndarray] | None = None
        if hidden is not None:
            matrix, offset = hidden
            if matrix.ndim != 2 or offset.shape != (len(weights),) != matrix.shape[1:]:
                raise ArtifactError(
                    f"{manifest.name}: weights {weights.shape} behind a hidden layer "
                    f"{matrix.shape}, its bias {offset.shape}"
                )
            self._second = self.weights, self.bias
            self.weights, self.bias = summable(matrix), offset.astype(np.float64)

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read and check the model version in folder `path`; raises ArtifactError."""
        manifest = load_manifest(path, ModelManifest)
        check_files(path, manifest)
        if HEAD_FILE not in manifest.files:
            raise ArtifactError(f"{manifest.name} has no {HEAD_FILE}")
        tensors = read_tensors(path / HEAD_FILE)
        if sorted(tensors) not in (LINEAR, DEEP):
            raise ArtifactError(
                f"{path / HEAD_FILE}: expected bias, weights; got {sorted(tensors)}"
            )
        hidden = (tensors["hidden"], tensors["hidden_bias"]) if "hidden" in tensors else None
        return cls(manifest, tensors["weights"], tensors["bias"], hidden)

    @property
    def width(self) -> int:
        """Length of the embeddings it reads."""
        return int(self.weights.shape[0])

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities, float32 `(B, L)`, of float16 embeddings `(B, D)`."""
        return self.probabilities(
            self.logits(embeddings.astype(np.float64) @ self.weights + self.bias)
        )

    @property
    def is_linear(self) -> bool:
        """Whether the layer that reads embeddings gives the logits."""
        return self._second is None

    def logits(self, first: np.ndarray) -> np.ndarray:
        """Return the logits, float32 `(B, L)`, of what the first layer gave, float64 `(B, C)`."""
        if self._second is not None:
            weights, bias = self._second
            features = np.round(np.maximum(first, 0) / FEATURE_STEP) * FEATURE_STEP
            first = features @ weights + bias
        return first.astype(np.float32)

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
