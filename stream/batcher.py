"""The engine's queue: texts of all agents, doubles once, in batches of like length.

What waits is planned together, up to PLANNED texts, the oldest requests first; one thread for each
of the runtime's streams takes batch after batch, and plans anew when none is left, so no stream
waits for another. A text is computed once, however many ask for it while it waits, while it is
computed, and for some seconds afterwards: two agents that miss the same text in the cache at the
same time cost one encoding. A text that may have killed the engine is computed alone.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from ml.embedder import Embedder
from ml.text import digest
from ml.tokenizer import Encoded
from stream.suspects import Key, Suspects

PLANNED = 512
"""Texts planned in one go: beyond that sorting saves no padding, it only delays answers."""

RECENT_S = 10.0
"""A vector is remembered this long: far above the time between an agent's look into the cache and
its turn here, and short, for a killed article's vector must not stay."""

RECENT_TEXTS = 8_192  # 6 MB of vectors


@dataclass
class Request:
    """Texts of one caller; `answer` gets the request itself once none is left.

    `vectors` are float16 `(N, D)`; the rows in `poisonous` mean nothing.
    """

    vectors: np.ndarray
    left: int
    poisonous: list[int] = field(default_factory=list)
    answer: Future[Request] = field(default_factory=Future)


@dataclass(frozen=True)
class Batch:
    """Texts of like length for `embedder`, to be computed by one thread."""

    embedder: Embedder
    keys: list[Key]
    encoded: list[Encoded]
    alone: bool = False  # while nothing else is computed


class Recent:
    """Vectors computed in the last seconds; for one thread at a time."""

    def __init__(self, keep_s: float = RECENT_S, texts: int = RECENT_TEXTS) -> None:
        self._keep_s = keep_s
        self._texts = texts
        self._vectors: OrderedDict[Key, tuple[float, np.ndarray]] = OrderedDict()

    def get(self, key: Key) -> np.ndarray | None:
        """Return a vector, float16 `(D,)`, None where it is not remembered."""
        known = self._vectors.get(key)
        return None if known is None else known[1]

    def put(self, key: Key, vector: np.ndarray) -> None:
        """Remember a vector."""
        self._vectors[key] = time.monotonic(), vector

    def forget(self) -> None:
        """Drop what is too old, and the oldest of too many."""
        oldest = time.monotonic() - self._keep_s
        while self._vectors:
            key, (at, _) = next(iter(self._vectors.items()))
            if at > oldest and len(self._vectors) <= self._texts:
                return
            del self._vectors[key]


class Batcher:
    """The texts that wait; for any number of threads."""

    def __init__(self, suspects: Suspects) -> None:
        self._suspects = suspects
        self._changed = threading.Condition()
        self._computing = 0
        self._alone = False
        self._waiting: deque[tuple[Embedder, Key, Encoded]] = deque()
        self._planned: deque[Batch] = deque()
        self._wanted: dict[Key, list[tuple[Request, int]]] = {}  # who asks for it, and their rows
        self._recent = Recent()
        self.texts = 0  # answered so far
        self.encoded = 0  # computed so far
        self.batches = 0  # computed so far

    @property
    def waiting(self) -> int:
        """Distinct texts that nobody has an answer for yet."""
        return len(self._wanted)

    def submit(
        self, embedder: Embedder, texts: Sequence[str], encoded: Sequence[Encoded]
    ) -> Future[Request]:
        """Have `texts`, tokenized, computed."""
        vectors = np.empty((len(texts), embedder.manifest.width), np.float16)
        request = Request(vectors, left=len(texts))
        keys = [(embedder.manifest.id, digest(text)) for text in texts]
        self._suspects.refresh()
        with self._changed:
            for row, (key, tokens) in enumerate(zip(keys, encoded, strict=True)):
                known = self._recent.get(key)
                if self._suspects.poisonous(key):
                    request.poisonous.append(row)
                    request.left -= 1
                elif known is not None:
                    vectors[row] = known
                    request.left -= 1
                elif key in self._wanted:
                    self._wanted[key].append((request, row))
                else:
                    self._wanted[key] = [(request, row)]
                    self._waiting.append((embedder, key, tokens))
            self.texts += len(texts)
            self._changed.notify_all()
        if not request.left:
            request.answer.set_result(request)
        return request.answer

    def take(self, wait_s: float = RECENT_S) -> Batch | None:
        """Return the next batch to compute, None where nothing has come for `wait_s`."""
        with self._changed:
            if not self._changed.wait_for(self._may_take, wait_s):
                self._recent.forget()
                return None
            batch = self._planned.popleft()
            self._computing += 1
            self._alone = batch.alone
            return batch

    def _may_take(self) -> bool:
        if self._alone:
            return False
        if not self._planned and self._waiting:
            self._plan()
        return bool(self._planned) and not (self._planned[0].alone and self._computing)

    def _plan(self) -> None:
        self._suspects.refresh()
        taken = [self._waiting.popleft() for _ in range(min(PLANNED, len(self._waiting)))]
        by_embedder: dict[int, list[tuple[Embedder, Key, Encoded]]] = {}
        for embedder, key, tokens in taken:
            if key in self._suspects:
                self._planned.append(Batch(embedder, [key], [tokens], alone=True))
            else:
                by_embedder.setdefault(id(embedder), []).append((embedder, key, tokens))
        for items in by_embedder.values():
            embedder = items[0][0]
            # The longest texts come first in a plan; whoever waits longest goes first here.
            for places in sorted(embedder.plan([tokens for _, _, tokens in items]), key=min):
                keys = [items[n][1] for n in places]
                self._planned.append(Batch(embedder, keys, [items[n][2] for n in places]))

    def finish(self, batch: Batch, vectors: np.ndarray) -> None:
        """Hand out a batch's vectors, float16 `(B, D)`."""
        complete = []
        with self._changed:
            for key, vector in zip(batch.keys, vectors, strict=True):
                self._recent.put(key, vector)
                for request, row in self._wanted.pop(key):
                    request.vectors[row] = vector
                    request.left -= 1
                    if not request.left:
                        complete.append(request)
            self._recent.forget()
            self.encoded += len(batch.keys)
            self.batches += 1
            self._computing -= 1
            if batch.alone or not self._computing:  # someone may wait to be alone
                self._alone = False
                self._changed.notify_all()
        for request in complete:
            request.answer.set_result(request)
