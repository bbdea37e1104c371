"""Texts to token ids: Hugging Face's tokenizers behind the two calls that we need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from ml.artifact import ArtifactError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
"""BERT's special tokens; padding is id 0 in every tokenizer of ours."""

CHARACTERS_PER_TOKEN = 40
"""Characters handed to the tokenizer for every token of the window. English has about 4.5 a token;
what lies further back can only matter behind words of over 40 letters, and a text of a million
characters would otherwise take a second."""


class Encoded(NamedTuple):
    """The token ids of one text, int32 `(T,)`, and whether its end was cut off."""

    ids: np.ndarray
    truncated: bool


class Tokenizer:
    """A tokenizer that reads the first `window` tokens of a text, special tokens included."""

    def __init__(self, inner: tokenizers.Tokenizer, window: int) -> None:
        inner.no_padding()
        inner.enable_truncation(window)
        self._inner = inner
        self.window = window

    @classmethod
    def load(cls, path: Path, window: int) -> Tokenizer:
        """Read a tokenizer.json; raises ArtifactError where it is none."""
        try:
            inner = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises Exception itself
            raise ArtifactError(f"{path}: not a tokenizer ({error})") from error
        return cls(inner, window)

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return int(self._inner.get_vocab_size(with_added_tokens=True))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the token ids of every text, in order; at least the two special tokens each."""
        limit = self.window * CHARACTERS_PER_TOKEN
        encodings = self._inner.encode_batch_fast([text[:limit] for text in texts])
        return [
            Encoded(
                np.asarray(encoding.ids, dtype=np.int32),
                bool(encoding.overflowing) or len(text) > limit,
            )
            for text, encoding in zip(texts, encodings, strict=True)
        ]


def train(texts: Iterable[str], vocabulary: int) -> bytes:
    """Train a lower-casing byte-level BPE tokenizer (Sennrich et al., 2016); return its JSON.

    Deterministic: the same texts give the same bytes, which the library's WordPiece trainer does
    not promise. No text is unknown to it: what has no piece is spelt in bytes.
    """
    inner = tokenizers.Tokenizer(models.BPE())
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, inner.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return inner.to_str(pretty=False).encode()
