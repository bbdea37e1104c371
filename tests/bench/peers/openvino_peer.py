"""OpenVINO: `python -m tests.bench.peers.openvino_peer VARIANT FOLDER`.

`documented`: a compiled model as it comes (it chooses bfloat16 by itself where the processor has
it), Hugging Face's tokenizer, batches in arrival order padded to the longest, pooling in numpy.
`expert`: precision said, tuned for throughput with a request a core in flight, sorted by length,
pooling in the graph.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["USE_TF"] = "0"  # transformers must not look for TensorFlow

import numpy as np
import openvino
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
    model = openvino.Core().compile_model(
        folder / "openvino" / "openvino" / "openvino_model.xml", "CPU"
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "openvino")
    wanted = {name for i in model.inputs for name in i.names}

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
            states = model({k: v for k, v in inputs.items() if k in wanted})[0]
            rows.append(mean_of_tokens(states, inputs["attention_mask"]))
        return np.concatenate(rows)

    return encode


def expert(folder: Path) -> Encode:
    """Return it as an expert would use it. One stream with all cores is 8 to 14 % slower here."""
    streams = len(os.sched_getaffinity(0))
    core = openvino.Core()
    has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    model = core.compile_model(
        folder / "pooled.xml",
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bf16 else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
        },
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "openvino")
    queue = openvino.AsyncInferQueue(model, streams)

    def encode(texts: list[str]) -> np.ndarray:
        ids = tokenizer(texts, truncation=True, max_length=WINDOW)["input_ids"]
        width = model.outputs[0].partial_shape[1].get_length()
        rows = np.empty((len(texts), width), np.float32)

        def keep(request: openvino.InferRequest, places: list[int]) -> None:
            rows[places] = request.get_output_tensor(0).data

        queue.set_callback(keep)
        for places in by_length([len(i) for i in ids], BATCH):
            queue.start_async(pad([ids[n] for n in places], MULTIPLE), places)
        queue.wait_all()
        return rows

    return encode


VARIANTS: dict[str, Callable[[Path], Encode]] = {"documented": documented, "expert": expert}

if __name__ == "__main__":
    answer(partial(VARIANTS[sys.argv[1]], Path(sys.argv[2])))
