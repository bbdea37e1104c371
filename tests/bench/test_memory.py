"""The texts that the engine's memory is measured on."""

from __future__ import annotations

from tests.bench.memory import texts

WORDS = [f"word{n}" for n in range(500)]


def test_most_texts_are_short_and_few_are_books() -> None:
    lengths = sorted(len(text.split()) for text in texts(WORDS, 20_000))
    assert lengths[0] == 0
    assert 20 <= lengths[10_000] <= 26
    assert lengths[19_800] < 400
    assert lengths[-1] > 50_000


def test_texts_differ_and_are_the_same_every_time() -> None:
    once, again = list(texts(WORDS, 500)), list(texts(WORDS, 500))
    assert once == again
    assert len({text for text in once if text}) == sum(1 for text in once if text)
