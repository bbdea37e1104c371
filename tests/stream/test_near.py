"""How alike two texts are."""

from __future__ import annotations

import pytest

from stream import near

STORY = (
    "oil prices rose on monday after the ministers of eleven countries met in vienna to agree on "
    "lower output for the rest of the year traders said the agreement had been expected for weeks "
    "and that stocks in the united states remain high while demand in europe is weak"
)
WINDOW = 256


def alike(one: str, other: str, window: int = WINDOW) -> float:
    return near.similarity(near.shingles(one, window), near.shingles(other, window))


def test_similarity_is_the_share_of_the_word_pairs_that_both_have() -> None:
    assert alike("one two three four", "one two three five") == pytest.approx(2 / 4)
    assert alike("one two three", "one two three") == 1.0
    assert alike("one two", "three four") == 0.0


def test_case_and_punctuation_do_not_count_and_order_does() -> None:
    assert alike("Oil, prices: UP!", "oil prices up") == 1.0
    assert alike("oil prices up", "up prices oil") == 0.0


def test_a_dateline_changes_little_of_an_article() -> None:
    assert alike(STORY, f"VIENNA, March 3 (Reuter) - {STORY}") == pytest.approx(48 / 52)


def test_what_stands_behind_the_window_does_not_count() -> None:
    assert alike("one two three four", "one two three five", window=3) == 1.0


def test_each_ideograph_is_a_word() -> None:
    assert len(near.shingles("石油价格上涨", WINDOW)) == 5


@pytest.mark.parametrize("text", ["", "word", "!?", " "])
def test_a_text_without_two_words_is_like_no_other(text: str) -> None:
    signature = near.shingles(text, WINDOW)
    assert near.similarity(signature, signature) == 0.0
    assert near.bands(signature) == []


def test_bands_are_the_same_in_every_process() -> None:
    assert near.bands(near.shingles(STORY, WINDOW)) == [
        "7465d964",
        "00c66b3c",
        "b0d24d03",
        "7af482ef",
    ]


def test_texts_much_alike_share_a_band_and_others_none() -> None:
    bands = near.bands(near.shingles(STORY, WINDOW))
    changed = near.bands(near.shingles(f"VIENNA, March 3 (Reuter) - {STORY}", WINDOW))
    other = near.bands(near.shingles("a company said that its profit had doubled", WINDOW))
    assert len(bands) == 4
    assert any(one == two for one, two in zip(bands, changed, strict=True))
    assert not any(one == two for one, two in zip(bands, other, strict=True))
