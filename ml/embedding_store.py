"""Embeddings of datasets on disk, so that a refit encodes only what is new.

One file a dataset version and fingerprint, at `embeddings/<fingerprint>/<dataset id>.safetensors`: digests uint8 `(U, 16)`, vectors
float16 `(U, D)`, truncated uint8 `(U,)`, and in the metadata a checksum. Texts known from another
dataset version are not encoded again. The store may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as safetensors_from
from safetensors.numpy import save as safetensors_bytes

from ml import sealing, text
from ml.embedder import Embedder, Progress

log = logging.getLogger("wireroom.embeddings")
Known = dict[bytes, tuple[np.ndarray, bool]]


def embed_dataset(
    home: Path,
    dataset_id: str,
    embedder: Embedder,
    texts: Sequence[str],
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings float16 `(N, D)` of normalised texts, and bool `(N,)` which were cut."""
    digests = [bytes.fromhex(text.digest(t)) for t in texts]
    shelf = home / "embeddings" / embedder.fingerprint
    file = shelf / f"{dataset_id}.safetensors"
    known: Known = {}
    for stored in sorted(shelf.glob("*.safetensors"), key=lambda path: path != file):
        if all(digest in known for digest in digests):
            break
        known |= _read(stored, embedder.manifest.width)
    missing = {d: t for d, t in zip(digests, texts, strict=True) if d not in known}
    if missing:
        vectors, cut = embedder.embed(list(missing.values()), progress)
        known |= dict(zip(missing, zip(vectors, cut, strict=True), strict=True))
    if missing or not file.exists():
        _write(file, {digest: known[digest] for digest in digests})
    rows = [known[digest] for digest in digests]
    return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows], bool)


def stored(home: Path, dataset_id: str, fingerprint: str, width: int) -> Known:
    """Return what is stored of a dataset version, by digest; empty where nothing is."""
    file = home / "embeddings" / fingerprint / f"{dataset_id}.safetensors"
    return _read(file, width) if file.exists() else {}


def _read(file: Path, width: int) -> Known:
    """Read a stored file; a broken one is logged and counts as empty."""
    try:
        content = sealing.read(file)
        checksum = _metadata(content).get("checksum")
        tensors = safetensors_from(content)
        digests, vectors, cut = (tensors[name] for name in _TENSORS)
    except (SafetensorError, sealing.SealError, KeyError, ValueError, OSError) as error:
        log.warning("%s is ignored: %s", file, error)
        return {}
    if checksum != _checksum(digests, vectors, cut) or vectors.shape != (len(digests), width):
        log.warning("%s is ignored: its checksum or shape is wrong", file)
        return {}
    return {
        digest.tobytes(): (vector, bool(c))
        for digest, vector, c in zip(digests, vectors, cut, strict=True)
    }


def _write(file: Path, rows: Known) -> None:
    digests = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), 16)
    vectors = np.stack([vector for vector, _ in rows.values()])
    cut = np.array([c for _, c in rows.values()], np.uint8)
    content = safetensors_bytes(
        dict(zip(_TENSORS, (digests, vectors, cut), strict=True)),
        {"checksum": _checksum(digests, vectors, cut)},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=".draft-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(sealing.sealed_for(file, content))
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of safetensors bytes: 8 bytes of length, then a header in JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found: dict[str, str] = header.get("__metadata__", {})
    return found


_TENSORS = ("digests", "vectors", "truncated")


def _checksum(*tensors: np.ndarray) -> str:
    state = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        state.update(np.ascontiguousarray(tensor).tobytes())
    return state.hexdigest()
