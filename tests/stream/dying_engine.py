"""A worker whose encoder kills it at the text `poison`, and takes a moment for each batch.

Started by the router like the real one. Its encoder's name says what it does: `letters+0000`;
`broken+0000` cannot be loaded, `dying+0000` dies while it loads, `slow+0000` takes seconds,
`greedy+0000` keeps 4 MB of every batch, `absent+0000` dies while it loads as long as the home has a
file of that name.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import cast

import numpy as np

from infra.settings import load
from ml.artifact import ArtifactError
from ml.batching import batches
from ml.embedder import Embedder
from ml.tokenizer import Encoded
from stream import engine_worker

POISON = "poison"
ABSENT = "absent"
ENCODER = "letters+0000"
BATCH_S = 0.02
LOADING_S = 2.0
GREED = 4 * 2**20


class DyingEmbedder:
    """A text's tokens are its code points, its vector is their number."""

    runtime = type("Runtime", (), {"name": "letters", "precision": "f32", "streams": 1})
    tokens = padding = 0

    def __init__(self, encoder: str) -> None:
        if encoder.startswith("broken"):
            raise ArtifactError(f"{encoder} is broken")
        if encoder.startswith("dying") or _is_absent(encoder):
            os.kill(os.getpid(), signal.SIGKILL)
        if encoder.startswith("slow"):
            time.sleep(LOADING_S)
        self.manifest = type("M", (), {"id": encoder, "width": 2, "languages": ["en"]})
        self.fingerprint = encoder.ljust(32, "f")
        self.tokenizer = self
        self._greedy = encoder.startswith("greedy")
        self._kept: list[bytes] = []

    def embed(self, texts: Sequence[str]) -> None: ...

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [Encoded(np.array([ord(c) for c in text], np.int32), False) for text in texts]

    def plan(self, encoded: Sequence[Encoded]) -> list[list[int]]:
        return batches([len(e.ids) for e in encoded], 1024, 1)

    def compute(self, batch: Sequence[Encoded]) -> np.ndarray:
        """Return each text's length and the number of this process, in float16's range."""
        if any("".join(map(chr, e.ids)) == POISON for e in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._greedy:
            self._kept.append(b"x" * GREED)
        time.sleep(BATCH_S)
        self.tokens += sum(len(e.ids) for e in batch)
        return np.array([[len(e.ids), os.getpid() % 1000] for e in batch], np.float16)


def _is_absent(encoder: str) -> bool:
    return encoder.startswith(ABSENT) and (load().home / ABSENT).exists()


def load_encoder(encoder: str) -> Embedder:
    """Return the encoder of that name."""
    return cast("Embedder", DyingEmbedder(encoder))


if __name__ == "__main__":
    engine_worker.run(load(), sys.argv[1:], load_encoder)
