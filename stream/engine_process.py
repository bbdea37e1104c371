"""The engine: a process of its own that turns texts into vectors for every agent.

A thread for each connection reads its request and tokenizes; one thread computes. It takes all
that waits at once, drops doubles, and sorts by length, so that two agents' batches pad each other
less. What it has just computed it remembers for some seconds: two agents that miss the same text
in the cache at the same time cost one encoding. While it computes (outside Python's lock) the next requests are tokenized. A crash of the
runtime ends this process alone: it is started again, and the agents ask anew.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec
import numpy as np

from infra import metrics
from infra.settings import Settings, load
from ml.artifact import ArtifactError, encoder_path
from ml.embedder import Embedder
from ml.text import digest
from ml.tokenizer import Encoded
from stream import engine_wire, heartbeat
from stream.engine_wire import Answer, Describe, Description, Refusal, Request, Vectors

log = logging.getLogger(__name__)

MAX_MERGED = 512
"""Texts computed in one go: beyond that merging saves no padding, it only delays answers."""

RECENT_S = 10.0
"""A vector is remembered this long: far above the time between an agent's look into the cache and
its turn here, and short, for a killed article's vector must not stay."""

RECENT_TEXTS = 8_192  # 6 MB of vectors

WARM_UP = ["Oil prices rose.", "Shares fell sharply in heavy trading on Monday. " * 8]


@dataclass(frozen=True)
class Work:
    """One request, tokenized; `answer` gets its vectors, float16 `(N, D)`."""

    embedder: Embedder
    texts: list[str]
    encoded: list[Encoded]
    answer: Future[np.ndarray] = field(default_factory=Future)


class Recent:
    """Vectors computed in the last seconds, by encoder and text digest; for one thread."""

    def __init__(self, keep_s: float = RECENT_S, texts: int = RECENT_TEXTS) -> None:
        self._keep_s = keep_s
        self._texts = texts
        self._vectors: OrderedDict[tuple[str, str], tuple[float, np.ndarray]] = OrderedDict()

    def get(self, key: tuple[str, str]) -> np.ndarray | None:
        """Return a vector, float16 `(D,)`, None where it is not remembered."""
        known = self._vectors.get(key)
        return None if known is None else known[1]

    def put(self, key: tuple[str, str], vector: np.ndarray) -> None:
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


class Engine:
    """Encoders by id, and the one thread that computes with them."""

    def __init__(self, load_encoder: Callable[[str], Embedder]) -> None:
        self._load = load_encoder
        self._embedders: dict[str, Embedder] = {}
        self._loading = threading.Lock()
        self._queue: SimpleQueue[Work] = SimpleQueue()
        self._recent = Recent()
        self._waiting = 0
        self.texts = 0
        self.encoded = 0
        self.busy_s = 0.0

    def answer(self, request: Request) -> Answer:
        """Answer one request; may be called from any thread."""
        try:
            embedder = self._embedder(request.encoder)
        except ArtifactError as error:
            return Refusal(str(error))
        if isinstance(request, Describe):
            return Description(
                encoder=request.encoder,
                fingerprint=embedder.fingerprint,
                width=embedder.manifest.width,
                languages=embedder.manifest.languages,
                runtime=embedder.runtime.name,
                precision=embedder.runtime.precision,
            )
        started = time.perf_counter()
        work = Work(embedder, request.texts, embedder.tokenizer.encode(request.texts))
        self._waiting += len(work.texts)
        self._queue.put(work)
        vectors = work.answer.result()
        metrics.ENGINE_SECONDS.observe(time.perf_counter() - started)
        return Vectors(vectors.tobytes(), [e.truncated for e in work.encoded])

    def _embedder(self, encoder: str) -> Embedder:
        known = self._embedders.get(encoder)
        if known is not None:
            return known
        with self._loading:
            if encoder not in self._embedders:
                started = time.perf_counter()
                embedder = self._load(encoder)
                embedder.embed(WARM_UP)
                log.warning(
                    "%s runs on %s in %s, ready after %.1f s",
                    encoder,
                    embedder.runtime.name,
                    embedder.runtime.precision,
                    time.perf_counter() - started,
                )
                self._embedders[encoder] = embedder
            return self._embedders[encoder]

    def compute_for_ever(self) -> None:
        """Take what waits, compute, answer; an error of the runtime ends the process."""
        while True:
            try:
                group = self._take(RECENT_S)
            except Empty:
                self._recent.forget()
                continue
            started = time.perf_counter()
            for embedder in {id(w.embedder): w.embedder for w in group}.values():
                self._compute(embedder, [w for w in group if w.embedder is embedder])
            self.busy_s += time.perf_counter() - started

    def _take(self, wait_s: float) -> list[Work]:
        """Wait for one request and take the others that wait already; raises Empty."""
        group = [self._queue.get(timeout=wait_s)]
        while sum(len(w.texts) for w in group) < MAX_MERGED:
            try:
                group.append(self._queue.get_nowait())
            except Empty:
                break
        return group

    def _compute(self, embedder: Embedder, group: list[Work]) -> None:
        self._recent.forget()
        found: dict[str, np.ndarray] = {}  # (D,) by text
        fresh: dict[str, Encoded] = {}
        keys: dict[str, tuple[str, str]] = {}
        for work in group:
            for text, encoded in zip(work.texts, work.encoded, strict=True):
                if text in keys:
                    continue
                keys[text] = embedder.manifest.id, digest(text)
                vector = self._recent.get(keys[text])
                if vector is None:
                    fresh[text] = encoded
                else:
                    found[text] = vector
        tokens, padding = embedder.tokens, embedder.padding
        vectors = embedder.encode(list(fresh.values()))  # (U, D)
        for text, vector in zip(fresh, vectors, strict=True):
            found[text] = vector
            self._recent.put(keys[text], vector)
        for work in group:
            work.answer.set_result(np.stack([found[text] for text in work.texts]))
            self._waiting -= len(work.texts)
            self.texts += len(work.texts)
        self.encoded += len(fresh)
        metrics.ENGINE_TEXTS.inc(len(fresh))
        metrics.ENGINE_TOKENS.labels("real").inc(embedder.tokens - tokens)
        metrics.ENGINE_TOKENS.labels("padding").inc(embedder.padding - padding)
        metrics.ENGINE_QUEUE.set(self._waiting)

    def figures(self) -> dict[str, Any]:
        """Return what the console shows of the engine; counters since its start."""
        embedders = list(self._embedders.values())
        return {
            "ready": True,
            "encoders": {
                e.manifest.id: f"{e.runtime.name} {e.runtime.precision}" for e in embedders
            },
            "texts": self.texts,
            "encoded": self.encoded,
            "queue_texts": self._waiting,
            "tokens": sum(e.tokens for e in embedders),
            "padding_tokens": sum(e.padding for e in embedders),
            "busy_s": round(self.busy_s, 3),
        }


def serve(address: str, engine: Engine) -> None:
    """Accept connections for ever, a thread for each; raises OSError where it cannot listen."""
    listener = _listen(address)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve_one, args=(connection, engine), daemon=True).start()


def _listen(address: str) -> socket.socket:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o600)
    else:
        listener = socket.create_server(engine_wire.tcp_address(address))
    listener.listen(64)
    return listener


def _serve_one(connection: socket.socket, engine: Engine) -> None:
    with connection:
        try:
            while (request := engine_wire.receive_request(connection)) is not None:
                engine_wire.send(connection, engine.answer(request))
        except (OSError, msgspec.DecodeError) as error:
            log.info("a connection ended: %s", error)
        except Exception:
            # Tokenizer or runtime in a state we do not know: a fresh process is cheaper.
            log.exception("the engine ends itself")
            os._exit(70)


def _compute_or_exit(engine: Engine) -> None:
    try:
        engine.compute_for_ever()
    except BaseException:
        log.exception("the engine ends itself")
        os._exit(70)


def main(settings: Settings) -> None:
    """Run the engine until it is told to stop."""
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # agents repeat what was under way

    def load_encoder(encoder: str) -> Embedder:
        return Embedder(
            encoder_path(settings.home, encoder),
            settings.runtime,
            settings.precision,
            settings.threads,
            settings.token_budget,
        )

    engine = Engine(load_encoder)
    threading.Thread(target=_compute_or_exit, args=(engine,), daemon=True).start()
    heartbeat.start(settings, "engine", engine.figures)
    serve(settings.engine_address, engine)


if __name__ == "__main__":
    main(load())
