"""Texts that say the same are the same text."""

from __future__ import annotations

import pytest

from ml import text


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("Oil\n up\u00a0again ", "Oil up again"),
        ("cafe\u0301", "caf\u00e9"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("right\u202eleft\u2066", "rightleft"),
        ("soft\u00adhyphen", "softhyphen"),
        ("wide\u3000space", "wide space"),
        ("Öl und Gas", "Öl und Gas"),
    ],
)
def test_only_what_is_seen_counts(raw: str, normalised: str) -> None:
    assert text.normalise(raw) == normalised
    assert text.normalise(normalised) == normalised


def test_joiners_that_make_letters_and_emoji_stay() -> None:
    assert text.normalise("\U0001f468\u200d\U0001f469") == "\U0001f468\u200d\U0001f469"


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert text.digest("") == "cae66941d9efbd404e4d88758ea67670"
    assert text.digest("Oil up") != text.digest("oil up")


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("Oil", "Oil"),
        ("<p>Oil &amp; gas</p>", "Oil & gas"),
        ("Oil<br/>up", "Oil\nup"),
        ("<style>p{}</style>Oil<script>x('</p>')</script>", "Oil"),
        ("<b>unclosed", "unclosed"),
        ("</script>Oil", "Oil"),
        ("", ""),
    ],
)
def test_html_gives_its_text(html: str, plain: str) -> None:
    assert text.from_html(html) == plain
