"""A map of characters does through Hugging Face's normalizer what it says."""

from __future__ import annotations

import pytest
from tokenizers import normalizers

from ml.charsmap import compile_map

MAP = {
    0x01: "",
    0x09: " ",
    0xBD: "1⁄2",
    0x2026: "...",
    0x3000: " ",
    0xFF0C: ",",
    0xFF21: "A",
    0x1D400: "A",
    0x1F100: "0.",
}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("plain", "plain"),
        ("", ""),
        ("\x01", ""),
        ("\x01a\x01b\x01", "ab"),
        ("a\tb", "a b"),
        ("½ 上涨，Ａ…", "1⁄2 上涨,A..."),
        ("𝐀\u3000🄀", "A 0."),
        ("🂡 \U0001f4c8 ﷺ", "🂡 \U0001f4c8 ﷺ"),
    ],
)
def test_mapped_characters_are_replaced_and_others_stay(text: str, becomes: str) -> None:
    assert normalizers.Precompiled(compile_map(MAP)).normalize_str(text) == becomes


def test_a_large_map_is_exact() -> None:
    """Thousands of entries share pages of the trie; each finds its own, and nothing else's."""
    mapped = {
        point: f"<{point:x}>" for point in range(0x80, 0x11000, 7) if not 0xD800 <= point < 0xE000
    }
    normalizer = normalizers.Precompiled(compile_map(mapped))

    for point in (p for p in range(1, 0x11000) if not 0xD800 <= p < 0xE000):
        # Behind a line break, so that no mark joins the character before it.
        assert normalizer.normalize_str(f"\n{chr(point)}") == f"\n{mapped.get(point, chr(point))}"


@pytest.mark.parametrize("mapped", [{0: "a"}, {0x41: "a\0"}])
def test_the_zero_character_cannot_be_mapped(mapped: dict[int, str]) -> None:
    with pytest.raises(ValueError, match=r"U\+0000"):
        compile_map(mapped)
