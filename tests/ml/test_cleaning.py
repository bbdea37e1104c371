"""Cleaning: what goes, and what only looks like it."""

from __future__ import annotations

import pytest

from ml.cleaning import clean, truncated


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<p>Oil &amp; gas</p><script>x()</script>", "Oil & gas"),
        ("Profit < loss, and 3 > 2", "Profit < loss, and 3 > 2"),
        ("STANDARD OIL <SRD> TO FORM UNIT", "STANDARD OIL <SRD> TO FORM UNIT"),
        ("Oil\x00 rises\x1b[31m\x03", "Oil rises[31m"),
        ("LONDON (Reuters) - Oil rose.\nReporting by A. Writer", "Oil rose."),
        ("Oil rose.\n© 2026 A Paper\nClick here for more\nGas fell.", "Oil rose.\n\nGas fell."),
        ("He said to click here was a mistake.", "He said to click here was a mistake."),
        ("油价上涨", "油价上涨"),
    ],
)
def test_a_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Oil rises", "Oil rises"),
        ("Oil rises again today", "Oil rises"),
        ("Oil rises and", "Oil rises"),
        ("石油价格今天又上涨了很多", "石油价格今天又上涨了"),
    ],
)
def test_a_text_is_cut_at_a_word(text: str, cut: str) -> None:
    assert truncated(text, 10) == cut
