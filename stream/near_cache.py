"""Earlier texts that a new one is nearly the same as, kept in Redis beside the embeddings.

Of every encoded text two things are kept as long as its embedding: its signature (`stream.near`) by
its digest, and its digest by each of its signature's bands. A text that is not in the cache is
looked for by its bands, one MGET a batch; where that names earlier texts, a second MGET reads their
signatures and embeddings. The most alike lends its embedding where the encoder's measured bound
allows it, and the result says `near`.

The embedding found is never kept under the new text's own digest. It is another text's: an exact
copy that came later would report `hit`, and nobody could tell that its label is only most likely the
one that its own text gets. So the copy is `near` again, or encoded where the earlier text has gone.
For the same reason such a text has no signature here: each near text was compared with one that was
encoded itself, and errors cannot add up along a chain of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from infra import names
from stream import near
from stream.cache_server import CacheServer
from stream.embedding_cache import Embedding, unpack
from stream.engine_wire import Description
from stream.near import Shingles
from stream.near_bounds import Bound

DIGEST_BYTES = 16


@dataclass(frozen=True)
class Sought:
    """What a search comes to: embeddings of earlier texts, and signatures of all, by digest.

    An embedding found may be used where `bound` allows the answers that it leads to.
    """

    bound: Bound | None = None
    found: dict[str, Embedding] = field(default_factory=dict)
    signatures: dict[str, Shingles] = field(default_factory=dict)


class NearCache:
    """Texts nearly the same; finds and keeps none of an encoder that `bounds` has no bound for."""

    def __init__(self, server: CacheServer, bounds: Callable[[str], Bound | None]) -> None:
        """Take `nowhere` for `bounds` where the operator has not switched near texts on."""
        self._server = server
        self._bounds = bounds

    def seek(self, encoder: Description, texts: Mapping[str, str]) -> Sought:
        """Return embeddings of earlier texts much like these, by the digests of these."""
        bound = self._bounds(encoder.encoder) if texts else None
        if bound is None:
            return Sought()
        signatures = {d: near.shingles(text, bound.window) for d, text in texts.items()}
        alike = self._candidates(encoder.fingerprint, signatures)
        earlier = self._earlier(encoder, sorted({c for several in alike.values() for c in several}))
        found = {}
        for digest, candidates in alike.items():
            similar = [
                (near.similarity(signatures[digest], earlier[c][0]), c)
                for c in candidates
                if c in earlier
            ]
            if similar and (best := max(similar))[0] >= bound.similarity:
                found[digest] = earlier[best[1]][1]
        return Sought(bound, found, signatures)

    def put(self, fingerprint: str, signatures: Mapping[str, Shingles]) -> None:
        """Let later texts find these, which have been encoded; what cannot be kept is dropped."""
        payloads = {}
        for digest, signature in signatures.items():
            for key in _band_keys(fingerprint, signature):
                payloads[key] = bytes.fromhex(digest)
            payloads[names.near_signature_key(fingerprint, digest)] = signature.tobytes()
        self._server.put(payloads)

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool:
        """Delete all that is kept of killed texts; returns whether the server has confirmed it.

        Also where near texts are switched off: they may have been on. A band that another text
        has taken over meanwhile stays.
        """
        killed = [(f, d) for f in fingerprints for d in digests]
        doomed = [names.near_signature_key(*one) for one in killed]
        bands = [
            (key, digest)
            for (fingerprint, digest), payload in zip(killed, self._server.get(doomed), strict=True)
            if payload is not None
            for key in _band_keys(fingerprint, np.frombuffer(payload, np.uint32))
        ]
        held = self._server.get([key for key, _ in bands])
        doomed += [
            key
            for (key, digest), payload in zip(bands, held, strict=True)
            if payload is None or payload.hex() == digest
        ]
        return self._server.delete(doomed)

    def _candidates(
        self, fingerprint: str, signatures: Mapping[str, Shingles]
    ) -> dict[str, set[str]]:
        """Return the digests of earlier texts that share a band, by digest."""
        asked = [(d, key) for d, s in signatures.items() for key in _band_keys(fingerprint, s)]
        candidates: dict[str, set[str]] = {}
        for (digest, _), payload in zip(
            asked, self._server.get([key for _, key in asked]), strict=True
        ):
            # Its own digest is there where its embedding alone was evicted.
            if payload and len(payload) == DIGEST_BYTES and payload.hex() != digest:
                candidates.setdefault(digest, set()).add(payload.hex())
        return candidates

    def _earlier(
        self, encoder: Description, digests: Sequence[str]
    ) -> dict[str, tuple[Shingles, Embedding]]:
        """Return signature and embedding of those of these texts that still have both."""
        if not digests:
            return {}
        fingerprint = encoder.fingerprint
        payloads = self._server.get(
            [names.near_signature_key(fingerprint, digest) for digest in digests]
            + [names.embedding_key(fingerprint, digest) for digest in digests]
        )
        earlier = {}
        for digest, signature, value in zip(
            digests, payloads[: len(digests)], payloads[len(digests) :], strict=True
        ):
            embedding = unpack(value, encoder.width) if value is not None else None
            if signature is not None and embedding is not None:
                earlier[digest] = np.frombuffer(signature, np.uint32), embedding
        return earlier


def nowhere(encoder: str) -> Bound | None:  # noqa: ARG001 - whatever the encoder
    """Return no bound: nothing is near."""
    return None


def _band_keys(fingerprint: str, signature: Shingles) -> list[str]:
    return [
        names.near_band_key(fingerprint, place, band)
        for place, band in enumerate(near.bands(signature))
    ]
