"""A smaller, faster encoder: int8 by post-training quantization of the OpenVINO IR (NNCF).

Weights and activations of the matrix products become int8, scaled by what a calibration set shows;
the rest stays in floating point. SmoothQuant (Xiao et al., 2022, arXiv:2211.10438) comes with NNCF's
transformer mode.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ml import no_telemetry  # noqa: F401 - must come before openvino
from ml.artifact import ArtifactError, EncoderManifest, encoder_path, find_encoder, save
from ml.embedder import Embedder
from ml.messages import timestamp
from ml.runtimes import read_ir
from ml.tokenizer import Tokenizer

SUFFIX = "-int8"
CALIBRATION_TEXTS = 300  # NNCF's own default; 17 s on 2 cores
ROUNDS = 3  # of the interleaved timing


def quantize(
    home: Path, parent: EncoderManifest, texts: Sequence[str], calibration: str
) -> EncoderManifest:
    """Save the int8 twin of `parent`, calibrated on normalised `texts`; returns its manifest.

    `calibration` says what the texts are, e.g. `300 of r8+1a2b3c4d`; a twin of the same parent and
    calibration that exists is returned. Raises ArtifactError where the parent has no IR.
    """
    if existing := find_twin(home, parent, calibration):
        return existing
    # Heavy (1 s), and needed by this job alone.
    import nncf
    import openvino

    source = encoder_path(home, parent.id)
    if "encoder.xml" not in parent.files or parent.precision != "f32":
        raise ArtifactError(f"{parent.id} cannot be quantized: no float32 IR")
    tokenizer = Tokenizer.load(source / "tokenizer.json", parent.window)
    samples = [
        (encoded.ids[None, :], np.ones((1, len(encoded.ids)), np.int32))  # both (1, T)
        for encoded in tokenizer.encode(texts)
    ]
    model = read_ir(openvino.Core(), source)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=len(samples),
        model_type=nncf.ModelType.TRANSFORMER,
    )
    with tempfile.TemporaryDirectory(prefix="wireroom-") as folder:
        path = Path(folder)
        openvino.save_model(quantized, path / "encoder.xml", compress_to_fp16=False)
        manifest = EncoderManifest(
            name=parent.name + SUFFIX,
            config=parent.config,
            window=parent.window,
            languages=parent.languages,
            precision="int8",
            created_at=timestamp(datetime.now(UTC)),
            parents=[parent.id],
            metrics={
                "calibration": calibration,
                "bytes": (path / "encoder.bin").stat().st_size,
                "parent_bytes": parent.files["encoder.bin"].size,
            },
        )
        files: dict[str, bytes | Path] = {
            name: path / name for name in ("encoder.xml", "encoder.bin")
        }
        files["tokenizer.json"] = source / "tokenizer.json"
        return save(home, manifest, files)


def find_twin(home: Path, parent: EncoderManifest, calibration: str) -> EncoderManifest | None:
    """Return the int8 encoder made of `parent` with this calibration, or None."""
    try:
        twin = find_encoder(home, parent.name + SUFFIX)
    except ArtifactError:
        return None
    same = twin.parents == [parent.id] and twin.metrics.get("calibration") == calibration
    return twin if same else None


def compare_speed(parent: Embedder, twin: Embedder, texts: Sequence[str]) -> dict[str, Any]:
    """Time both on the same texts, A B A B: articles a second, and the ratio's spread.

    Figures of one machine at one time; the ratio is what carries over.
    """
    rates: dict[str, list[float]] = {"parent": [], "twin": []}
    parent.embed(texts[:64])  # shapes compile at their first use
    twin.embed(texts[:64])
    for _ in range(ROUNDS):
        for name, embedder in (("parent", parent), ("twin", twin)):
            started = time.perf_counter()
            embedder.embed(texts)
            rates[name].append(len(texts) / (time.perf_counter() - started))
    ratios = sorted(b / a for a, b in zip(rates["parent"], rates["twin"], strict=True))
    return {
        "articles_per_s": round(float(np.median(rates["twin"])), 1),
        "parent_articles_per_s": round(float(np.median(rates["parent"])), 1),
        "speedup": {
            "min": round(ratios[0], 3),
            "median": round(float(np.median(ratios)), 3),
            "max": round(ratios[-1], 3),
        },
    }
