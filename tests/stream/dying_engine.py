"""An engine whose encoder kills the process at the text `poison`: `python -m ... SOCKET FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ml.batching import batches
from ml.embedder import Embedder
from ml.tokenizer import Encoded
from stream.engine_process import Engine, serve

POISON = "poison"
ENCODER = "letters+0000"


class DyingEmbedder:
    """A text's tokens are its code points, its vector is their number."""

    manifest = type("Manifest", (), {"id": ENCODER, "width": 1, "languages": ["en"]})
    runtime = type("Runtime", (), {"name": "letters", "precision": "f32", "streams": 2})
    fingerprint = "f" * 32

    def __init__(self) -> None:
        self.tokenizer = self

    def embed(self, texts: Sequence[str]) -> None: ...

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [Encoded(np.array([ord(c) for c in text], np.int32), False) for text in texts]

    def plan(self, encoded: Sequence[Encoded]) -> list[list[int]]:
        return batches([len(e.ids) for e in encoded], 1024, 2)

    def compute(self, batch: Sequence[Encoded]) -> np.ndarray:
        if any("".join(map(chr, e.ids)) == POISON for e in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        return np.array([[len(e.ids)] for e in batch], np.float16)


if __name__ == "__main__":
    serve(sys.argv[1], Engine(lambda _: cast("Embedder", DyingEmbedder()), Path(sys.argv[2])))
