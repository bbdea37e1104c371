"""From weights to an encoder artifact: Keras model, OpenVINO IR, tokenizer, in one folder."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ml import no_telemetry  # noqa: F401 - must come before openvino
from ml.artifact import ArtifactError, EncoderManifest, save, write_tensors
from ml.encoder import Encoder, EncoderConfig, build
from ml.messages import timestamp
from ml.tokenizer import Tokenizer

WEIGHTS = "weights.safetensors"
TOKENIZER = "tokenizer.json"


def save_encoder(
    home: Path,
    name: str,
    config: EncoderConfig,
    weights: Mapping[str, np.ndarray],
    tokenizer: bytes,
    window: int,
    languages: list[str],
    parents: Sequence[str] = (),
    metrics: Mapping[str, Any] | None = None,
) -> EncoderManifest:
    """Save an encoder of float32 weights with its OpenVINO IR; returns its manifest.

    `parents` are the ids of the encoders it was made from, `metrics` what is known of its making.

    Raises ArtifactError where tokenizer and weights do not fit each other, ValueError where the
    weights do not fit `config`.
    """
    if not 2 < window <= config.length:
        raise ArtifactError(f"window {window}: expected 3 to {config.length} tokens")
    model = build(config, dict(weights))
    with tempfile.TemporaryDirectory(prefix="wireroom-") as folder:
        path = Path(folder)
        (path / TOKENIZER).write_bytes(tokenizer)
        size = Tokenizer.load(path / TOKENIZER, window).vocabulary
        if size > config.vocabulary:
            raise ArtifactError(f"the tokenizer has {size} ids, the encoder {config.vocabulary}")
        write_ir(model, path / "encoder.xml")
        manifest = EncoderManifest(
            name=name,
            config=msgspec.to_builtins(config),
            window=window,
            languages=languages,
            precision="f32",
            created_at=timestamp(datetime.now(UTC)),
            parents=list(parents),
            metrics=dict(metrics or {}),
        )
        files: dict[str, bytes | Path] = {
            WEIGHTS: write_tensors(weights),
            TOKENIZER: tokenizer,
            "encoder.xml": path / "encoder.xml",
            "encoder.bin": path / "encoder.bin",
        }
        return save(home, manifest, files)


def write_ir(model: Encoder, path: Path) -> None:
    """Write the encoder as OpenVINO IR: `path` and the weights beside it, float32."""
    # Heavy (TensorFlow: 4-7 s, 560 MB), and needed only where an encoder is made.
    import openvino
    import tensorflow as tf

    # Named as the IR's inputs. A plain function: ov.convert_model does not take a Keras 3 model.
    def call(ids: Any, mask: Any) -> Any:
        return model(ids, mask)

    signature = [tf.TensorSpec((None, None), tf.int32, name=name) for name in ("ids", "mask")]
    shape = ([-1, -1], openvino.Type.i32)
    converted = openvino.convert_model(
        tf.function(call, input_signature=signature), input=[shape, shape]
    )
    # The trace has a second output, the identity of the first.
    single = openvino.Model([converted.outputs[0]], converted.get_parameters(), "encoder")
    openvino.save_model(single, path, compress_to_fp16=False)
