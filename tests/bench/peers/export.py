"""Write the model in the formats the peers read: `python -m tests.bench.peers.export MODEL OUT`.

As documented: what sentence-transformers saves for its ONNX and OpenVINO backends. As an expert
would: pooling and normalisation inside the graph, the ONNX one with its layers fused.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["USE_TF"] = "0"  # transformers must not look for TensorFlow

import onnx
import openvino
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

HEADS, WIDTH = 12, 384  # MiniLM's; the optimizer asks for them


class Pooled(torch.nn.Module):  # type: ignore[misc]  # torch is not in our environment
    """Ids and mask, both `(B, T)`, to embeddings `(B, D)`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.inner = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the mean of the real tokens' last states, of length 1."""
        states = self.inner(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        rows = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return torch.nn.functional.normalize(rows, dim=1)


def main(model: Path, out: Path) -> None:
    """Write `onnx`, `openvino`, `pooled.onnx`, `pooled-int8.onnx` and `pooled.xml` into `out`."""
    for backend in ("onnx", "openvino"):
        SentenceTransformer(str(model), backend=backend, device="cpu").save_pretrained(
            str(out / backend)
        )
    pooled = Pooled(model)
    example = torch.randint(1000, 2000, (2, 16)), torch.ones(2, 16, dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        pooled,
        example,
        str(out / "plain.onnx"),
        input_names=["ids", "mask"],
        output_names=["rows"],
        dynamic_axes={"ids": axes, "mask": axes, "rows": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    fused = optimizer.optimize_model(
        str(out / "plain.onnx"), model_type="bert", num_heads=HEADS, hidden_size=WIDTH
    )
    fused.save_model_to_file(str(out / "pooled.onnx"))
    quantize_dynamic(
        out / "pooled.onnx",
        out / "pooled-int8.onnx",
        weight_type=QuantType.QInt8,
        # It cannot tell by itself what the fused layers give.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    converted = openvino.convert_model(pooled, example_input=example)
    openvino.save_model(converted, out / "pooled.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
