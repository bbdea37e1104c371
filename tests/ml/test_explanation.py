"""Explanations of the factory model, on texts whose words are known to matter."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ml.artifact import (
    ArtifactError,
    EncoderManifest,
    encoder_path,
    find_encoder,
    list_models,
    load_manifest,
    read_tensors,
)
from ml.attribution import TOLERANCE, Attributor, completeness_error, embed, looks
from ml.encoder import Encoder, EncoderConfig, build
from ml.explaining import answer
from ml.explanation import Explainer, Explanation
from ml.tokenizer import Tokenizer

GRAIN = "The department forecast larger exports of wheat and corn. The harvest was good."
TITLE = "USDA sees grain exports up"
CHINESE = "中国央行下调存款准备金率，油价上涨。"


@pytest.fixture(scope="module")
def explainer(assets: Path) -> Explainer:
    return Explainer(assets, precision="f32")


@pytest.fixture(scope="module")
def model(assets: Path) -> str:
    return list_models(assets, "topic")[-1].name


@pytest.fixture(scope="module")
def grain(explainer: Explainer, model: str) -> Explanation:
    return explainer.explain(model, TITLE, GRAIN)


def _encoder(folder: Path) -> Encoder:
    manifest = load_manifest(folder, EncoderManifest)
    config = msgspec.convert(manifest.config, EncoderConfig)
    return build(config, read_tensors(folder / "weights.safetensors"))


def test_the_words_sum_to_what_they_explain(grain: Explanation) -> None:
    explained = grain.log_odds - grain.log_odds_baseline

    assert abs(sum(word.weight for word in grain.words) - explained) <= TOLERANCE * explained
    assert grain.completeness_error <= TOLERANCE
    assert grain.baseline == "mask"


def test_attention_is_shared_out_among_all_tokens_special_ones_too(
    grain: Explanation, assets: Path
) -> None:
    folder = encoder_path(assets, find_encoder(assets, "minilm-l6").id)
    tokenizer = Tokenizer.load(folder / "tokenizer.json", 256)
    found = tokenizer.locate(grain.text)

    shares = Attributor(_encoder(folder), tokenizer.mask_token).attention(found.ids)

    assert shares.min() > 0
    assert shares.sum() == pytest.approx(1, abs=1e-4)
    of_words = sum(word.attention for word in grain.words)
    assert of_words == pytest.approx(float(shares[~found.special].sum()), abs=1e-4)


def test_where_the_heads_look_gives_what_the_layer_gives() -> None:
    config = EncoderConfig(
        vocabulary=10, length=8, width=6, heads=3, layers=1, feed_forward=4, epsilon=1e-12
    )
    layer = build(config).blocks[0].attention
    x = np.random.default_rng(5).normal(size=(1, 4, 6)).astype(np.float32)
    values = np.asarray(layer.value(x))[0].reshape(4, 3, 2)  # (T, H, D/H)

    mixed = np.einsum("hts,shd->thd", looks(layer, x), values).reshape(1, 4, 6)

    expected = np.asarray(layer(x, np.zeros((1, 1, 1, 4), np.float32)))
    np.testing.assert_allclose(np.asarray(layer.output_dense(mixed)), expected, atol=1e-5)


def test_what_is_explained_is_the_confidence_itself(grain: Explanation) -> None:
    assert grain.label == "grain"
    odds = math.log(grain.confidence / (1 - grain.confidence))
    assert grain.log_odds == pytest.approx(odds, abs=0.02)  # vectors are rounded to float16


def test_grain_is_carried_by_its_own_words(grain: Explanation) -> None:
    heaviest = sorted(grain.words, key=lambda word: -word.weight)[:5]
    found = {grain.text[word.start : word.end].lower() for word in heaviest}

    assert len(found & {"grain", "wheat", "corn.", "harvest", "exports"}) >= 3


def test_every_sentence_is_left_out_once(grain: Explanation) -> None:
    parts = [grain.text[s.start : s.end] for s in grain.sentences]

    assert parts == [
        "USDA sees grain exports up",
        "The department forecast larger exports of wheat and corn.",
        "The harvest was good.",
    ]
    assert max(grain.sentences, key=lambda s: s.drop).start < len(TITLE) + 60


def test_a_sentence_without_which_the_label_changes_is_named(
    explainer: Explainer, model: str
) -> None:
    body = "Wheat, corn and barley harvests were large. The company will acquire its rival."

    found = explainer.explain(model, "", body)

    assert any(s.flips and s.label != found.label and s.drop > 0 for s in found.sentences)


def test_another_label_can_be_asked_for(explainer: Explainer, model: str) -> None:
    found = explainer.explain(model, TITLE, GRAIN, label="earn")

    assert (found.label, found.confidence < 0.5) == ("earn", True)
    assert found.log_odds < 0


@pytest.mark.parametrize(
    ("name", "label", "reason"),
    [("topic@9+ffff", None, "no such artifact"), ("", "sport", "no label 'sport'")],
)
def test_what_is_not_there_is_not_explained(
    explainer: Explainer, model: str, name: str, label: str | None, reason: str
) -> None:
    with pytest.raises(ArtifactError, match=reason):
        explainer.explain(name or model, TITLE, GRAIN, label)


def test_an_article_without_text_is_not_explained(explainer: Explainer, model: str) -> None:
    with pytest.raises(ValueError, match="neither a title nor a body"):
        explainer.explain(model, " ", "\u200b")


def test_a_broken_request_is_answered_and_so_is_the_next(explainer: Explainer, model: str) -> None:
    broken = json.loads(answer(explainer, b'{"id": 1}'))
    refused = json.loads(answer(explainer, b'{"id": "a", "model": "../../etc"}'))
    good = {"id": "b", "model": model, "title": TITLE}
    explained = json.loads(answer(explainer, json.dumps(good).encode()))

    assert (broken["event"], refused["event"], refused["id"]) == ("error", "error", "a")
    assert (explained["event"], explained["id"]) == ("explanation", "b")
    assert (explained["label"], explained["sentences"]) == ("grain", [])


def test_embeddings_from_token_vectors_are_the_encoders_own(assets: Path) -> None:
    folder = encoder_path(assets, find_encoder(assets, "minilm-l6").id)
    encoder = _encoder(folder)
    ids = Tokenizer.load(folder / "tokenizer.json", 256).locate(GRAIN).ids[None]

    ours = np.asarray(embed(encoder, encoder.tokens(ids)))

    np.testing.assert_allclose(ours, np.asarray(encoder(ids, np.ones_like(ids))), atol=1e-5)


def test_a_prefix_is_no_word_and_chinese_is_explained_too(e5_small: Path) -> None:
    tokenizer = Tokenizer.load(e5_small / "tokenizer.json", 512)
    found = tokenizer.locate(CHINESE)
    weights = np.random.default_rng(3).normal(size=(384, 4)) * 10
    attributor = Attributor(_encoder(e5_small), tokenizer.mask_token)

    result = attributor.attribute(
        found.ids, found.special, (weights, np.zeros(4)), 1, several=False
    )

    assert found.ids.tolist() == tokenizer.encode([CHINESE])[0].ids.tolist()
    assert found.special.tolist()[:4] == [True, True, True, False]  # <s> passage :
    assert "".join(CHINESE[s.start : s.end] for s in found.spans) == CHINESE
    assert result.error <= TOLERANCE
    assert not result.shares[found.special].any()


def test_an_error_is_a_share_of_what_is_explained() -> None:
    assert completeness_error(np.array([1.0, 2.0]), answer=5.0, baseline=1.0) == 0.25
