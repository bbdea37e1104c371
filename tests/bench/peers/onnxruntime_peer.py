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

os.environ["USE_TF"] = "0"  # transformers must not look for TensorFlow

import numpy as np
import onnxruntime
from transformers import AutoTokenizer

from tests.bench.peers.conversation import (
    BATCH,
    Encode,
    answer,
    by_length,
    in_arrival_order,
    mean_of_tokens,
    pad,
)

WINDOW = 256  # as the model's sentence_bert_config.json
MULTIPLE = 8  # of the padded length, by an expert


def documented(folder: Path) -> Encode:
    """Return it as the documentation shows."""
    session = onnxruntime.InferenceSession(
        folder / "onnx" / "onnx" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "onnx")
    wanted = {i.name for i in session.get_inputs()}

    def encode(texts: list[str]) -> np.ndarray:
        rows = []
        for places in in_arrival_order(texts):
            inputs = tokenizer(
                [texts[n] for n in places],
                padding=True,
                truncation=True,
                max_length=WINDOW,
                return_tensors="np",
            )
            states = session.run(None, {k: v for k, v in inputs.items() if k in wanted})[0]
            rows.append(mean_of_tokens(states, inputs["attention_mask"]))
        return np.concatenate(rows)

    return encode


def expert(file: str, folder: Path) -> Encode:
    """Return it as an expert would use it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / file, options, providers=["CPUExecutionProvider"]
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "onnx")

    def encode(texts: list[str]) -> np.ndarray:
        ids = tokenizer(texts, truncation=True, max_length=WINDOW)["input_ids"]
        rows: np.ndarray | None = None
        for places in by_length([len(i) for i in ids], BATCH):
            batch, mask = pad([ids[n] for n in places], MULTIPLE)
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
