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

import numpy as np
import openvino

from tests.bench.peers.batches import as_documented, sorted_batches
from tests.bench.peers.conversation import Encode, answer


def documented(folder: Path) -> Encode:
    """Return it as the documentation shows."""
    model = openvino.Core().compile_model(
        folder / "openvino" / "openvino" / "openvino_model.xml", "CPU"
    )
    wanted = {name for i in model.inputs for name in i.names}
    return as_documented(folder / "openvino", wanted, lambda inputs: model(inputs)[0])


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
    cut = sorted_batches(folder / "openvino")
    queue = openvino.AsyncInferQueue(model, streams)

    def encode(texts: list[str]) -> np.ndarray:
        width = model.outputs[0].partial_shape[1].get_length()
        rows = np.empty((len(texts), width), np.float32)

        def keep(request: openvino.InferRequest, places: list[int]) -> None:
            rows[places] = request.get_output_tensor(0).data

        queue.set_callback(keep)
        for places, inputs in cut(texts):
            queue.start_async(inputs, places)
        queue.wait_all()
        return rows

    return encode


VARIANTS: dict[str, Callable[[Path], Encode]] = {"documented": documented, "expert": expert}

if __name__ == "__main__":
    answer(partial(VARIANTS[sys.argv[1]], Path(sys.argv[2])))
