"""A text in its parts: the words that tokens belong to, and its sentences."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

MOST_SENTENCES = 24
"""Sentences that are left out one at a time; a text of more is taken in larger pieces."""

LONGEST_WORDS = 40
"""Words of a sentence that is left out whole; wires without full stops are taken in pieces."""

_WORD = re.compile(r"\S+")
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_OWN_WORD = re.compile(f"[{_SPACELESS}]")  # scripts that put no spaces between words
_INSIDE = re.compile(r"[\w'’.,/&%$-]")  # U.S., 12.5, co-op's, AT&T
# An end of a sentence, and behind it what begins one: not "U.S. firm", "5.3 pct", "Mr. Smith".
_END = re.compile(
    r"(?<![ .][A-Z])(?<!\b(?:Mr|Dr|St|Co|vs|No))(?<!\bMrs)(?<!\b(?:Inc|Ltd))(?<!\bCorp)"
    r"[.!?][\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9])|(?<=[。！？；])(?=.)"
)


class Span(NamedTuple):
    """Characters `start` to `end` of a text."""

    start: int
    end: int


def words(text: str, tokens: Sequence[Span]) -> list[list[int]]:
    """Return which tokens make up each word, by their numbers; empty tokens belong to none.

    Tokens that touch are one word; in a script without spaces each token is one.
    """
    found: list[list[int]] = []
    end = -1
    for number, (start, stop) in enumerate(tokens):
        piece = text[start:stop]
        start += len(piece) - len(piece.lstrip())
        if start >= stop:
            continue
        touching = start <= end and bool(found)
        if touching and _joined(text, start):
            found[-1].append(number)
        else:
            found.append([number])
        end = max(end, stop)
    return found


def _joined(text: str, place: int) -> bool:
    """Tell whether the characters before and at `place` stand within one word."""
    pair = text[max(0, place - 1) : place + 1]
    return not _OWN_WORD.search(pair) and all(_INSIDE.match(c) for c in pair)


def sentences(text: str, title: int = 0) -> list[Span]:
    """Return the sentences of a normalised text whose first `title` characters are its title."""
    starts = [0, title + 1] if 0 < title < len(text) - 1 else [0]
    starts += [m.end() for m in _END.finditer(text) if m.end() > starts[-1]]
    spans = [Span(a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    trimmed = [Span(a, a + len(text[a:b].rstrip())) for a, b in spans]
    return _fewer(
        [piece for span in trimmed if span.start < span.end for piece in _cut(text, span)]
    )


def _cut(text: str, span: Span) -> list[Span]:
    """Cut a sentence that never ends into pieces of about as many words each."""
    found = [Span(*m.span()) for m in _WORD.finditer(text, *span)]
    if len(found) <= LONGEST_WORDS:
        return [span]
    count = -(-len(found) // (LONGEST_WORDS // 2))
    bounds = [len(found) * n // count for n in range(count + 1)]
    return [Span(found[a].start, found[b - 1].end) for a, b in itertools.pairwise(bounds)]


def _fewer(spans: list[Span]) -> list[Span]:
    """Join neighbours, the shortest first, until there are few enough."""
    while len(spans) > MOST_SENTENCES:
        n = min(range(len(spans) - 1), key=lambda i: spans[i + 1].end - spans[i].start)
        spans[n : n + 2] = [Span(spans[n].start, spans[n + 1].end)]
    return spans


def without(text: str, span: Span) -> str:
    """Return the text with a span left out."""
    return f"{text[: span.start].rstrip()} {text[span.end :].lstrip()}".strip()
