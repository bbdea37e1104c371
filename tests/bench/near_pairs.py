"""Pairs of nearly the same text: those that a corpus holds, and articles edited as desks edit them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import NamedTuple

from ml.text import normalise
from stream import near

CITIES = ("NEW YORK", "LONDON", "TOKYO", "WASHINGTON", "CHICAGO", "PARIS", "BONN", "OTTAWA")
CREDITS = (
    "(c) Reuters Limited 1987. All rights reserved.",
    "Reporting by the Associated Press; editing by John Smith.",
    "REUTER",
    "Copyright Dow Jones. This story was distributed by AP.",
)
SENTENCE_WORDS = (6, 24)
FEWEST_WORDS = 8
MOST_REAL_PAIRS = 500
FEW_IN_A_BAND = 300  # pairs of one band; a column heading that many share would give millions


class Pair(NamedTuple):
    """An earlier text, one much like it, and how they came to be alike."""

    kind: str
    earlier: str
    later: str


def read(corpus: Path) -> list[str]:
    """Return the distinct texts of a corpus in JSON lines, gzipped, with `title` and `body`."""
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = (normalise(f"{row['title']}\n{row['body']}") for row in rows)
    return list(dict.fromkeys(text for text in texts if len(text.split()) >= FEWEST_WORDS))


def found(texts: Sequence[str], window: int, name: str) -> list[Pair]:
    """Return pairs that stand in a corpus as they are, found by their bands."""
    signatures = [near.shingles(text, window) for text in texts]
    by_band: dict[tuple[int, str], list[int]] = {}
    for n, signature in enumerate(signatures):
        for band in enumerate(near.bands(signature)):
            by_band.setdefault(band, []).append(n)
    places = dict.fromkeys(
        pair
        for several in by_band.values()
        for pair in islice(combinations(several, 2), FEW_IN_A_BAND)
    )
    alike = [p for p in places if near.similarity(*(signatures[n] for n in p)) >= 0.5]
    chosen = random.Random(7).sample(alike, min(MOST_REAL_PAIRS, len(alike)))
    return [Pair(f"as found in {name}", texts[one], texts[other]) for one, other in chosen]


def edited(texts: Sequence[str], articles: int) -> Iterator[Pair]:
    """Yield articles with a new dateline, credit, word, figures, or one sentence more or less."""
    draw = random.Random(5)
    count = min(articles, len(texts))
    for text, other in zip(draw.sample(texts, count), draw.sample(texts, count), strict=True):
        for kind, changed in _edits(text, other, draw):
            if (later := normalise(changed)) != text:
                yield Pair(kind, text, later)


def _edits(text: str, other: str, draw: random.Random) -> Iterator[tuple[str, str]]:
    words, foreign = text.split(), other.split()
    place, day = draw.choice(CITIES), draw.randint(1, 28)
    yield "dateline", f"{place}, March {day} (Reuter) - {text}"
    yield "agency credit", f"{text} {draw.choice(CREDITS)}"
    n = draw.randrange(len(words))
    yield "one word", " ".join([*words[:n], draw.choice(foreign), *words[n + 1 :]])
    yield "figures", " ".join(_other_figures(word, draw) for word in words)
    run = draw.randint(*SENTENCE_WORDS)
    if len(words) <= 2 * run:
        return
    n = draw.randrange(len(words) - run)
    start = draw.randrange(max(1, len(foreign) - run))
    sentence = foreign[start : start + run]
    yield "sentence dropped", " ".join(words[:n] + words[n + run :])
    yield "sentence replaced", " ".join(words[:n] + sentence + words[n + run :])
    yield "sentence added", " ".join(words[:n] + sentence + words[n:])


def _other_figures(word: str, draw: random.Random) -> str:
    """Return a number with other digits, three times in ten; other words as they are."""
    if not any(c.isdigit() for c in word) or draw.random() >= 0.3:
        return word
    return "".join(draw.choice("123456789") if c.isdigit() else c for c in word)
