"""Cleaning: what goes, and what only looks like it."""

from __future__ import annotations

import pytest

from ml.cleaning import clean


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
