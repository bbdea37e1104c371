"""Real texts of a newswire's lengths: Reuters articles, most of them cut to AG News's lengths."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ml.artifact import find_dataset
from ml.datasets import load_dataset

WHOLE_SHARE = 4  # one article in so many keeps its length, as the mix that peers were measured on
AG_WORDS = (37.0, 11.0)
"""Mean and deviation of the words in an AG News article (title and description)."""
FEWEST_WORDS = 8


def read(assets: Path) -> list[str]:
    """Return distinct texts in an order without pattern, the same at every call.

    One article in four is left whole; the others are cut to pieces as long as AG News articles.
    Raises ArtifactError where the assets lack the corpus.
    """
    _, rows = load_dataset(assets, find_dataset(assets, "r52").id)
    draw = random.Random(20)
    texts: dict[str, None] = {}
    for n, row in enumerate(rows):
        if n % WHOLE_SHARE == 0:
            texts[row.text] = None
            continue
        words = iter(row.text.split())
        while len(
            piece := list(islice(words, max(FEWEST_WORDS, round(draw.gauss(*AG_WORDS)))))
        ) >= (FEWEST_WORDS):
            texts[" ".join(piece)] = None
    chosen = list(texts)
    draw.shuffle(chosen)
    return chosen


class Supply:
    """Texts that were never handed out: once all were, they come again behind a number."""

    def __init__(self, texts: Sequence[str], first_round: int = 0) -> None:
        """Begin with the texts as they are, or, with `first_round` over 0, numbered."""
        self._texts = texts
        self._next = first_round * len(texts)

    def take(self, count: int) -> list[str]:
        """Return the next texts."""
        places = range(self._next, self._next + count)
        self._next += count
        return [self._numbered(*divmod(n, len(self._texts))) for n in places]

    def _numbered(self, round_: int, place: int) -> str:
        return f"{round_} {self._texts[place]}" if round_ else self._texts[place]
