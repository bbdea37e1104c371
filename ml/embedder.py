"""Texts to embeddings: tokenizer and runtime, with batches that waste little on padding."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ml.artifact import EncoderManifest, load_manifest
from ml.batching import batches, bucket
from ml.runtimes import Precision, RuntimeName, load
from ml.tokenizer import Encoded, Tokenizer

DEFAULT_TOKEN_BUDGET = 1024
"""Tokens of one batch, padding included: 96 % of what unlimited ones reach, and a stream is free
again within 60 ms."""

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
        self._counting = threading.Lock()
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

        def compute(batch: list[int]) -> np.ndarray:
            return self.compute([encoded[n] for n in batch])

        plan = self.plan(encoded)
        with ThreadPoolExecutor(self.runtime.streams) as streams:
            for batch, rows in zip(plan, streams.map(compute, plan), strict=True):
                vectors[batch] = rows
                done += len(batch)
                if progress:
                    progress(done, len(encoded))
        return vectors

    def plan(self, encoded: Sequence[Encoded]) -> list[list[int]]:
        """Return indices of `encoded` in batches for `compute`, enough of them for every stream."""
        lengths = [len(e.ids) for e in encoded]
        return batches(lengths, self.token_budget, self.runtime.streams)

    def compute(self, batch: Sequence[Encoded]) -> np.ndarray:
        """Return the embeddings, float16 `(B, D)`, of one batch; for as many threads at once as
        the runtime has streams."""
        ids, mask = _pad([encoded.ids for encoded in batch])  # (B, T)
        rows = self.runtime.encode(ids, mask).astype(np.float16)  # (B, D)
        real = int(mask.sum())
        with self._counting:
            self.tokens += real
            self.padding += mask.size - real
        return rows


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
