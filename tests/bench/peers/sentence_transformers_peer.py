"""sentence-transformers: `python -m tests.bench.peers.sentence_transformers_peer BACKEND FOLDER`.

`SentenceTransformer(...).encode(texts)`, as its documentation shows: it sorts by length itself, in
batches of 32. BACKEND is `torch` (its default), `onnx` or `openvino`.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

os.environ["USE_TF"] = "0"  # transformers must not look for TensorFlow

import numpy as np
from sentence_transformers import SentenceTransformer

from tests.bench.peers.conversation import Encode, answer


def documented(backend: str, folder: Path) -> Encode:
    """Return it with one of its backends."""
    path = folder / ("model" if backend == "torch" else backend)
    model = SentenceTransformer(str(path), backend=backend, device="cpu")

    def encode(texts: list[str]) -> np.ndarray:
        return np.asarray(model.encode(texts))

    return encode


if __name__ == "__main__":
    answer(partial(documented, sys.argv[1], Path(sys.argv[2])))
