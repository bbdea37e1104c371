"""The head of a classifier: one matrix from an embedding to calibrated label probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ml.artifact import ArtifactError, ModelManifest, check_files, load_manifest, read_tensors
from ml.probabilities import Probabilities

HEAD_FILE = "head.safetensors"
MAX_LABELS = 100_000


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
        self._weights = (weights / manifest.temperature).astype(np.float32)
        self._bias = (bias / manifest.temperature).astype(np.float32)

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
        return int(self._weights.shape[0])

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities, float32 `(B, L)`, of float16 embeddings `(B, D)`."""
        return self.probabilities(embeddings.astype(np.float32) @ self._weights + self._bias)

    def decide(self, confidence: float) -> Literal["accept", "review"]:
        """Tell whether a label of this confidence is accepted without review."""
        threshold = self.manifest.threshold
        return "accept" if threshold is not None and confidence >= threshold else "review"
