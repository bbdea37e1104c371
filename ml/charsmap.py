"""A map of characters in the form that Hugging Face's `Precompiled` normalizer reads.

The form is SentencePiece's: u32 size of a trie, the trie, then the replacements, each ended by a
zero byte. The trie is a double array over UTF-8 bytes as darts-clone writes it
(github.com/s-yata/darts-clone): from a node at place p, byte b leads to p ^ offset ^ b, and byte 0
to the value, the place of the replacement.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

PAGE = 256  # all that a node leads to lies in one page, so a reader never leaves the array
HAS_VALUE = 1 << 8
IS_VALUE = 1 << 31
OFFSET_SHIFT = 10
END = 0  # no character's UTF-8 holds this byte but U+0000's, which cannot be mapped


def compile_map(characters: Mapping[int, str]) -> bytes:
    """Return the map of code points to their replacements in SentencePiece's form.

    Raises ValueError where U+0000 is mapped or mapped to.
    """
    trie: dict[int, Any] = {}
    replacements = bytearray()
    places: dict[str, int] = {}
    for point, replacement in sorted(characters.items()):
        if point == END or "\0" in replacement:
            raise ValueError("U+0000 ends a replacement, so it cannot be mapped")
        if replacement not in places:
            places[replacement] = len(replacements)
            replacements += replacement.encode() + b"\0"
        node = trie
        for byte in chr(point).encode():
            node = node.setdefault(byte, {})
        node[END] = places[replacement]
    units = _double_array(trie)
    packed = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(packed)) + packed + bytes(replacements)


def _double_array(trie: dict[int, Any]) -> list[int]:
    """Place the nodes, breadth first, each where the first free places fit it."""
    units = [0] * PAGE
    free = dict.fromkeys(range(1, PAGE))  # in order; the root lies at 0
    bases: set[int] = set()
    queue = [(trie, 0)]
    for node, place in queue:  # grows while it is walked
        base = _base(node, free, bases)
        while base is None:
            free.update(dict.fromkeys(range(len(units), len(units) + PAGE)))
            units += [0] * PAGE
            base = _base(node, free, bases)
        bases.add(base)
        units[place] |= (base ^ place) << OFFSET_SHIFT | (HAS_VALUE if END in node else 0)
        for byte, child in node.items():
            del free[base ^ byte]
            if byte == END:
                units[base] = child | IS_VALUE
            else:
                units[base ^ byte] = byte
                queue.append((child, base ^ byte))
    return units


def _base(node: dict[int, Any], free: dict[int, None], bases: set[int]) -> int | None:
    """Return the first base from which all of a node's bytes lead to free places.

    A base serves one node: a place says by which byte it was reached, not from where.
    """
    first = next(iter(node))
    for place in free:
        base: int = place ^ first
        if base not in bases and all(base ^ byte in free for byte in node):
            return base
    return None
