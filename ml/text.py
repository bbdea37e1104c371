"""From what a feed sends to the text that is encoded, and the digest that names it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from html.parser import HTMLParser

# Marks that change how text looks but not what it says; they would make equal copies differ.
_INVISIBLE = dict.fromkeys(
    [
        0x00AD,
        0x200B,
        0x200C,
        0x200E,
        0x200F,
        0x2060,
        0xFEFF,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ]
)
_SPACE = re.compile(r"\s+")
_BREAKING = frozenset(
    ["p", "br", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "td", "th", "blockquote"]
)
_HIDDEN = frozenset(("script", "style", "template"))


def normalise(text: str) -> str:
    """Return `text` in NFC, without invisible marks, every run of white space one space."""
    composed = unicodedata.normalize("NFC", text).translate(_INVISIBLE)
    return _SPACE.sub(" ", composed).strip()


def digest(normalised: str) -> str:
    """Return 32 hexadecimal digits that name a normalised text (BLAKE2b, 128 bits)."""
    return hashlib.blake2b(normalised.encode(), digest_size=16).hexdigest()


def from_html(html: str) -> str:
    """Return the text of an HTML fragment; scripts, styles and tags are left out."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts).strip()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser calls it so
        if tag in _HIDDEN:
            self.hidden += 1
        elif tag in _BREAKING:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self.hidden = max(0, self.hidden - 1)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)
