"""Texts to ids: what is cut off, long texts in bounded time, and the Unigram tokenizer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ml.artifact import ArtifactError, encoder_path, find_encoder
from ml.tokenizer import Tokenizer, train, unigram

PIECES = [
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *(("▁", -3.0), ("▁oil", -2.0), ("oil", -4.0), ("s", -3.0), ("▁text", -2.0), (":", -2.5)),
    *(("上", -4.0), ("涨", -4.0), ("上涨", -5.0), ("A", -5.0)),
]
UNIGRAM = unigram(PIECES, 3, (0, 2), {0xFF21: "A", 0x200D: " "}, "text: ")


@pytest.fixture
def wordpiece(assets: Path) -> Tokenizer:
    folder = encoder_path(assets, find_encoder(assets, "minilm-l6").id)
    return Tokenizer.load(folder / "tokenizer.json", 16)


@pytest.fixture
def sentencepiece(tmp_path: Path) -> Tokenizer:
    (tmp_path / "tokenizer.json").write_bytes(UNIGRAM)
    return Tokenizer.load(tmp_path / "tokenizer.json", 16)


def names(tokenizer: Tokenizer, text: str) -> str:
    [encoded] = tokenizer.encode([text])
    return " ".join(PIECES[n][0] for n in encoded.ids)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("oil", "<s> ▁text : ▁oil </s>"),
        ("oil oils", "<s> ▁text : ▁oil ▁oil s </s>"),
        ("上涨上", "<s> ▁text : ▁ 上涨 上 </s>"),  # -5 is likelier than -4 twice
        ("oilＡ", "<s> ▁text : ▁oil A </s>"),
        ("oil \u200doil\u200d", "<s> ▁text : ▁oil ▁oil ▁ </s>"),
        ("ééoil", "<s> ▁text : ▁ <unk> <unk> oil </s>"),
    ],
)
def test_unigram_finds_the_likeliest_pieces(
    sentencepiece: Tokenizer, text: str, tokens: str
) -> None:
    assert names(sentencepiece, text) == tokens


@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece"])
def test_a_text_beyond_the_window_is_cut_and_says_so(
    kind: str, request: pytest.FixtureRequest
) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)

    short, long, longer = tokenizer.encode(["oil", "oil " * 40, "oil " * 4_000])

    assert (short.truncated, long.truncated, longer.truncated) == (False, True, True)
    assert len(long.ids) == 16
    assert long.ids[-1] == short.ids[-1]  # the closing token stays
    assert longer.ids.tolist() == long.ids.tolist()


def test_a_word_is_never_cut_in_two_where_the_text_is_cut(wordpiece: Tokenizer) -> None:
    """128 characters are read first, of which this text needs more to fill 16 tokens."""
    text = "internationalisation " * 6 + "oil rose " * 20
    whole = Tokenizer(wordpiece._inner, 1_000)
    [everything] = whole.encode([text])

    [window] = Tokenizer(wordpiece._inner, 16).encode([text])

    assert window.ids.tolist()[:-1] == everything.ids.tolist()[:15]


def test_words_of_many_letters_are_read_again_further(wordpiece: Tokenizer) -> None:
    spaced = "oil" + " " * 300 + "rose"  # a feed's text is normalised; this is not

    [encoded] = wordpiece.encode([spaced])

    assert not encoded.truncated
    assert len(encoded.ids) == 4  # [CLS] oil rose [SEP]


def test_a_text_of_a_million_characters_takes_no_longer_than_its_beginning(
    wordpiece: Tokenizer, sentencepiece: Tokenizer
) -> None:
    for tokenizer in (wordpiece, sentencepiece):
        for text in ("x" * 1_000_000, "上涨" * 500_000, "oil " * 250_000):
            started = time.perf_counter()
            [encoded] = tokenizer.encode([text])
            assert time.perf_counter() - started < 0.5
            assert encoded.truncated


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')

    with pytest.raises(ArtifactError, match=r"tokenizer\.json: not a tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json", 16)


def test_a_trained_tokenizer_knows_every_text(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(train(["oil rose", "oil fell"] * 10, 300))
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.json", 64)

    [latin, chinese] = tokenizer.encode(["oil rose", "油价"])

    assert 1 not in latin.ids  # [UNK]
    assert 1 not in chinese.ids
