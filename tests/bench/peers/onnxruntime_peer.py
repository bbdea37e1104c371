"""ONNX Runtime: `python -m tests.bench.peers.onnxruntime_peer VARIANT FOLDER`.

`documented`: a session as it comes, Hugging Face's tokenizer, batches in arrival order padded to
the longest, pooling in numpy. `expert`: sorted by length, layers fused, pooling in the graph, all
cores. `int8`: the expert's with dynamically quantized weights, ONNX Runtime's own recipe for CPUs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime

from tests.bench.peers.batches import as_documented, sorted_batches
from tests.bench.peers.conversation import Encode, answer


def documented(folder: Path) -> Encode:
    """Return it as the documentation shows."""
    session = onnxruntime.InferenceSession(
        folder / "onnx" / "onnx" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    wanted = {i.name for i in session.get_inputs()}
    return as_documented(folder / "onnx", wanted, lambda inputs: session.run(None, inputs)[0])


def expert(file: str, folder: Path) -> Encode:
    """Return it as an expert would use it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / file, options, providers=["CPUExecutionProvider"]
    )
    cut = sorted_batches(folder / "onnx")

    def encode(texts: list[str]) -> np.ndarray:
        rows: np.ndarray | None = None
        for places, (batch, mask) in cut(texts):
            got = session.run(None, {"ids": batch, "mask": mask})[0]  # (B, D)
            if rows is None:
                rows = np.empty((len(texts), got.shape[1]), np.float32)
            rows[places] = got
        return rows if rows is not None else np.empty((0, 0), np.float32)

    return encode


VARIANTS: dict[str, Callable[[Path], Encode]] = {
    "documented": documented,
    "expert": partial(expert, "pooled.onnx"),
    "int8": partial(expert, "pooled-int8.onnx"),
}

if __name__ == "__main__":
    answer(partial(VARIANTS[sys.argv[1]], Path(sys.argv[2])))
