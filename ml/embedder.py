"""Texts to embeddings: tokenizer and runtime, with batches that waste little on padding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ml.artifact import EncoderManifest, load_manifest
from ml.runtimes import Precision, RuntimeName, load
from ml.tokenizer import Encoded, Tokenizer

BUCKET = 16
"""Lengths are rounded up to a multiple of this: fewer shapes to compile for, at most 15 tokens of
padding."""

DEFAULT_TOKEN_BUDGET = 4096
"""Tokens of one batch, padding included; 512 to 4096 are equally fast on a CPU."""

Progress = Callable[[int, int], None]
"""Called with texts done and texts in all."""


class Embedder:
    """An encoder with its tokenizer: texts in, one float16 vector a text out.

    `fingerprint` (32 hexadecimal digits) names everything that decides a vector but the text:
    two embedders of one fingerprint give the same vector for the same text.
    """

    def __init__(
        self,
        encoder: Path,
        runtime: RuntimeName = "auto",
        precision: Precision = "auto",
        threads: int = 0,
        token_budget: int = DEFAULT_TOKEN_BUDGET,
    ) -> None:
        """Load the encoder in folder `encoder`; raises ArtifactError where it is broken."""
        self.manifest = load_manifest(encoder, EncoderManifest)
        self.runtime = load(encoder, runtime, precision, threads)
        self.tokenizer = Tokenizer.load(encoder / "tokenizer.json", self.manifest.window)
        self.token_budget = token_budget
        self.tokens = 0  # real tokens encoded so far
        self.padding = 0  # padding tokens encoded so far
        self.fingerprint = fingerprint(self.manifest, self.runtime.name, self.runtime.precision)

    def embed(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> tuple[np.ndarray, list[bool]]:
        """Return the embeddings, float16 `(N, D)`, and which texts were cut off at the window.

        Texts are taken as they are: normalise them first. Equal ones are encoded once. A text's
        vector does not depend on its neighbours.
        """
        places: dict[str, int] = {}
        where = [places.setdefault(text, len(places)) for text in texts]
        encoded = self.tokenizer.encode(list(places))
        vectors = self.encode(encoded, progress)
        return vectors[where], [encoded[n].truncated for n in where]

    def encode(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> np.ndarray:
        """Return the embeddings, float16 `(N, D)`, of texts that are tokenized already."""
        vectors = np.empty((len(encoded), self.manifest.width), np.float16)  # (N, D)
        done = 0
        for batch in batches([len(e.ids) for e in encoded], self.token_budget):
            ids, mask = _pad([encoded[n].ids for n in batch])  # (B, T)
            vectors[batch] = self.runtime.encode(ids, mask).astype(np.float16)  # (B, D)
            real = int(mask.sum())
            self.tokens += real
            self.padding += mask.size - real
            done += len(batch)
            if progress:
                progress(done, len(encoded))
        return vectors


def batches(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Group indices by length, longest first, so that each batch padded stays within the budget.

    A single text longer than the budget is a batch of its own.
    """
    batch: list[int] = []
    width = 0
    for n in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * width > token_budget:
            yield batch
            batch = []
        if not batch:
            width = bucket(lengths[n])
        batch.append(n)
    if batch:
        yield batch


def bucket(length: int) -> int:
    """Return the padded length of a text of `length` tokens."""
    return -(-length // BUCKET) * BUCKET


def fingerprint(manifest: EncoderManifest, runtime: str, precision: str) -> str:
    """Return the 32 hexadecimal digits that name all that decides an embedding but the text."""
    hashes = "".join(f"{name}={file.sha256};" for name, file in sorted(manifest.files.items()))
    everything = f"{hashes}window={manifest.window};{runtime};{precision};float16"
    return hashlib.blake2b(everything.encode(), digest_size=16).hexdigest()


def _pad(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and mask, int32 `(B, T)`, padded with 0 to the bucket of the longest."""
    shape = (len(sequences), bucket(max(len(ids) for ids in sequences)))
    ids, mask = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask
