"""Clean a text before it is labelled material: mark-up, control characters, agency boilerplate.

What is only sometimes noise is left alone: a text keeps its words, and their order. Every function
takes a text and returns one; `ml.text.normalise` comes after them, for training and serving alike.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from ml.datasets import Row
from ml.text import from_html

_TAG = re.compile(
    r"</?(?:p|br|div|span|a|b|i|u|em|strong|h[1-6]|ul|ol|li|table|tr|td|th|img|figure|section|article"
    r"|blockquote|script|style|P|BR|DIV)(?:\s[^<>]{0,2000})?/?>"
)
"""Tags that news comes with. Not any word in angle brackets: <SRD> in a wire's text is a share's symbol."""

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});")
_BOILERPLATE = (
    re.compile(r"\A\s*[A-Z][A-Za-z .,]{1,40}\((?:Reuters|AP|AFP|Xinhua|dpa|UPI)\)\s+[-–—]+\s+"),
    re.compile(r"^\s*(?:Copyright|©|\(c\))\s.{0,200}$", re.IGNORECASE | re.MULTILINE),
    re.compile(r"^\s*All rights reserved\b.{0,200}$", re.IGNORECASE | re.MULTILINE),
    re.compile(
        r"^\s*(?:Click here|Read more|Sign up|Subscribe)\b.{0,120}$", re.IGNORECASE | re.MULTILINE
    ),
    re.compile(r"^\s*(?:Reporting|Editing|Writing) by [^\n]{1,200}$", re.MULTILINE),
)
"""Whole lines, and a dateline with an agency's name: they say who sent a text, not what it is about, and
a head that learned them answers by sender."""


def clean(text: str) -> str:
    """Return the text without mark-up, control characters and boilerplate."""
    return without_boilerplate(without_controls(without_markup(text)))


def without_markup(text: str) -> str:
    """Return the text of what looks like HTML; any other text as it is, its entities resolved."""
    return from_html(text) if _TAG.search(text) or _ENTITY.search(text) else text


def without_controls(text: str) -> str:
    """Return the text without control characters; lines and tabs stay."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def without_boilerplate(text: str) -> str:
    """Return the text without an agency's dateline, notices of rights, bylines and invitations."""
    for pattern in _BOILERPLATE:
        text = pattern.sub("", text)
    return text.strip()


def clean_row(row: Row) -> Row:
    """Return a row with its title and body cleaned."""
    return msgspec.structs.replace(row, title=clean(row.title), body=clean(row.body))
