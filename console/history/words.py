"""Titles as the search reads them: the same splitting where they are written and where they are sought.

Neither SQLite's FTS5 nor PostgreSQL's `simple` splits Chinese or Japanese into words, so each such
character is a word of its own, and a search for several is one for the phrase.
"""

from __future__ import annotations

import re
import unicodedata

from ml.text import normalise

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_WORD = re.compile(f"[{_WIDE}]|[^\\W_{_WIDE}]+")
LONGEST = 600  # characters of a title that are searched


def words(text: str) -> str:
    """Return the words of `text`, lower case, separated by single spaces."""
    folded = unicodedata.normalize("NFKC", normalise(text[:LONGEST])).casefold()
    return " ".join(_WORD.findall(folded))


def terms(query: str) -> list[str]:
    """Return what must all stand in a title: words, and phrases of Chinese characters."""
    return [found for part in query.split() if (found := words(part))]
