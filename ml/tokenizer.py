"""Texts to token ids: Hugging Face's tokenizers behind the two calls that we need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from ml.artifact import ArtifactError, read_file
from ml.charsmap import compile_map
from ml.passages import Span

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
"""BERT's special tokens, the first ids of a tokenizer trained here. Which id pads a batch does not
matter: no encoder reads what the mask leaves out."""

MASKS = ("[MASK]", "<mask>")

CHARACTERS_PER_TOKEN = 8
"""Characters handed to the tokenizer for every token of the window. English has about 4.5 a token,
so nearly every text that is longer fills the window with these; the others are read again."""

MOST_CHARACTERS_PER_TOKEN = 40
"""Characters of the second reading. What lies further back can only matter behind words of over 40
letters, and a text of a million characters would otherwise take a second."""


METASPACE = "▁"  # stands for a space in SentencePiece's vocabularies


class Encoded(NamedTuple):
    """The token ids of one text, int32 `(T,)`, and whether its end was cut off."""

    ids: np.ndarray
    truncated: bool


class Located(NamedTuple):
    """The token ids of one text, int32 `(T,)`, and where in it each stands.

    `special`, bool `(T,)`: added by the tokenizer (the text's ends, an encoder's prefix); their
    spans are empty.
    """

    ids: np.ndarray
    spans: list[Span]
    special: np.ndarray


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
            inner = tokenizers.Tokenizer.from_str(read_file(path).decode())
        except ArtifactError:
            raise
        except Exception as error:  # the library raises Exception itself
            raise ArtifactError(f"{path}: not a tokenizer ({error})") from error
        return cls(inner, window)

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return int(self._inner.get_vocab_size(with_added_tokens=True))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the token ids of every text, in order; at least the two special tokens each."""
        beginnings = [_beginning(text, self.window * CHARACTERS_PER_TOKEN) for text in texts]
        encoded = self._encode(beginnings)
        again = [
            n
            for n, text in enumerate(texts)
            if len(beginnings[n]) < len(text) and not encoded[n].truncated
        ]
        limit = self.window * MOST_CHARACTERS_PER_TOKEN
        for n, (ids, truncated) in zip(
            again, self._encode([texts[n][:limit] for n in again]), strict=True
        ):
            encoded[n] = Encoded(ids, truncated or len(texts[n]) > limit)
        return encoded

    @property
    def mask_token(self) -> int | None:
        """The id that stands for a hidden word, None where there is none."""
        found = (self._inner.token_to_id(name) for name in MASKS)
        return next((token for token in found if token is not None), None)

    def locate(self, text: str) -> Located:
        """Return the token ids that `encode` gives, with the place of each in the text."""
        [(ids, _)] = self.encode([text])
        encoding = self._inner.encode(text)
        # Tokens before the text: what any two texts begin with. A prefix is not marked as special.
        one, other = (self._inner.encode(text).ids for text in "ab")
        start = next(n for n, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1)
        special = np.array([n < start or n >= len(ids) - 1 for n in range(len(ids))])
        spans = [
            Span(0, 0) if added else Span(*place)
            for added, place in zip(special, encoding.offsets[: len(ids)], strict=True)
        ]
        return Located(ids, spans, special)

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [
            Encoded(np.asarray(encoding.ids, dtype=np.int32), bool(encoding.overflowing))
            for encoding in self._inner.encode_batch_fast(list(texts))
        ]


def _beginning(text: str, limit: int) -> str:
    """Return the first `limit` characters, without the word that they would cut in two."""
    if len(text) <= limit:
        return text
    space = text.rfind(" ", 0, limit)
    return text[: space if space > 0 else limit]


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


def unigram(
    pieces: Sequence[tuple[str, float]],
    unknown: int,
    ends: tuple[int, int],
    characters: Mapping[int, str],
    prefix: str,
) -> bytes:
    """Return the JSON of a SentencePiece Unigram tokenizer (Kudo, 2018, arXiv:1804.10959).

    `pieces` have log-probabilities, in the order of their ids; `ends` are the ids before and after
    a text. Every code point in `characters` is replaced first; `prefix` stands before every text.
    A character that is in no piece is one unknown token, also beside another such.
    """
    inner = tokenizers.Tokenizer(models.Unigram(list(pieces), unk_id=unknown))
    inner.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(compile_map(characters)),
            normalizers.Prepend(METASPACE + prefix),
            normalizers.Replace(tokenizers.Regex(" {2,}"), " "),  # what the map made of marks
        ]
    )
    known = {" ", *"".join(piece for piece, _ in pieces)}
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # The model takes neighbouring unknown characters together unless they are apart.
            pre_tokenizers.Split(tokenizers.Regex(f"[^{_ranges(known)}]"), "isolated"),
            pre_tokenizers.Metaspace(METASPACE, prepend_scheme="never"),
        ]
    )
    inner.decoder = decoders.Metaspace(METASPACE)
    start, end = (pieces[n][0] for n in ends)
    inner.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, ends[0]), (end, ends[1])]
    )
    return inner.to_str(pretty=False).encode()


def _ranges(characters: Iterable[str]) -> str:
    """Return characters as the ranges inside a class of a regular expression."""
    ranges: list[tuple[int, int]] = []
    for point in sorted(map(ord, characters)):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1] = ranges[-1][0], point
        else:
            ranges.append((point, point))
    return "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in ranges)
