"""Articles that are nearly the same text: one story as several papers print it, or as it grew.

Candidates come from MinHash bands (datasketch; Broder, "On the resemblance and containment of
documents", 1997); each is then compared exactly, by the Jaccard similarity of its shingles. The same
texts in the same order give the same groups on every machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash
from datasketch import MinHash, MinHashLSH

ALIKE = 0.7
"""Least share of common shingles. An article of 150 words with one sentence of 20 words added has
0.87; two reports of the same event by two desks have under 0.3."""

RUN = 3  # words in a shingle
FUNCTIONS = 64
BANDS, ROWS = 16, 4
"""A pair of similarity 0.7 shares a band with probability 98.8 %, one of 0.9 with all but certainty."""

INDEXED = 50
"""Texts of a group that others are compared with. Machine-written notices come in groups of
thousands, and comparing all of them with each other would take hours and join nothing more."""

_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_IDEOGRAPHS}]|[^\\W{_IDEOGRAPHS}]+")

Shingles = npt.NDArray[np.uint32]
"""Hashes of a text's runs of words, sorted, each once; `(S,)`."""


@dataclass(frozen=True)
class Pair:
    """Two places in the texts, the earlier first, and the similarity of what stands there."""

    first: int
    second: int
    similarity: float


@dataclass(frozen=True)
class NearDuplicates:
    """For each text the place of the first one in its group; and pairs that made the groups."""

    leaders: list[int]
    pairs: list[Pair]

    def groups(self) -> list[int]:
        """Return the sizes of the groups of more than one text, largest first."""
        return sorted((n for n in Counter(self.leaders).values() if n > 1), reverse=True)


def near_duplicates(texts: Sequence[str]) -> NearDuplicates:
    """Group texts, each alike to another of its group; a text alike to none is a group of one."""
    found = [shingles(text) for text in texts]
    hashes = MinHash.bulk([s.tolist() for s in found], num_perm=FUNCTIONS, hashfunc=int, seed=RUN)
    index = MinHashLSH(num_perm=FUNCTIONS, params=(BANDS, ROWS))
    parents = list(range(len(texts)))
    indexed: Counter[int] = Counter()
    pairs = []
    for place, minhash in enumerate(hashes):
        for other in sorted(index.query(minhash)):
            similarity = jaccard(found[place], found[other])
            if similarity >= ALIKE:
                pairs.append(Pair(other, place, similarity))
                first, second = sorted((_leader(parents, place), _leader(parents, other)))
                parents[second] = first  # the earliest text leads: later ones never change that
        leader = _leader(parents, place)
        if indexed[leader] < INDEXED:
            index.insert(place, minhash)
            indexed[leader] += 1
    return NearDuplicates([_leader(parents, place) for place in range(len(texts))], pairs)


def shingles(text: str) -> Shingles:
    """Return the shingles of a text; case and punctuation do not count."""
    words = _WORD.findall(text.lower())
    runs = (" ".join(words[n : n + RUN]) for n in range(max(1, len(words) - RUN + 1)))
    return np.unique(np.fromiter((xxhash.xxh32_intdigest(run.encode()) for run in runs), np.uint32))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Return the shingles in both over those in either, 0 to 1."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def _leader(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]  # halve the way for the next search
        place = parents[place]
    return place
