"""The engine: a process of its own that turns texts into vectors for every agent.

A thread for each connection reads its request and tokenizes; a thread for each of the runtime's
streams computes, outside Python's lock, so the next requests are tokenized meanwhile. A crash of
the runtime ends this process alone: it is started again, and the agents ask anew.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from infra import metrics
from infra.settings import Settings, load
from ml.artifact import ArtifactError, encoder_path
from ml.batching import padded
from ml.embedder import Embedder
from stream import engine_wire, heartbeat
from stream.batcher import Batch, Batcher
from stream.engine_wire import Answer, Describe, Description, Refusal, Request, Vectors
from stream.suspects import Suspects

log = logging.getLogger(__name__)

WARM_UP = ["Oil prices rose.", "Shares fell sharply in heavy trading on Monday. " * 8]


class Engine:
    """Encoders by id, and the threads that compute with them."""

    def __init__(self, load_encoder: Callable[[str], Embedder], folder: Path) -> None:
        """`folder` keeps what was computed when an engine died."""
        self._load = load_encoder
        self._embedders: dict[str, Embedder] = {}
        self._loading = threading.Lock()
        self._computing = threading.Lock()
        self._busy_s = 0.0
        self._threads = 0
        self._suspects = Suspects(folder)
        self.batcher = Batcher(self._suspects)

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
        encoded = embedder.tokenizer.encode(request.texts)
        done = self.batcher.submit(embedder, request.texts, encoded).result()
        metrics.ENGINE_SECONDS.observe(time.perf_counter() - started)
        return Vectors(done.vectors.tobytes(), [e.truncated for e in encoded], done.poisonous)

    def _embedder(self, encoder: str) -> Embedder:
        known = self._embedders.get(encoder)
        if known is not None:
            return known
        with self._loading:
            if encoder not in self._embedders:
                started = time.perf_counter()
                embedder = self._load(encoder)
                embedder.embed(WARM_UP)
                self._start_threads(embedder.runtime.streams)
                log.warning(
                    "%s runs on %s in %s, %d streams, ready after %.1f s",
                    encoder,
                    embedder.runtime.name,
                    embedder.runtime.precision,
                    embedder.runtime.streams,
                    time.perf_counter() - started,
                )
                self._embedders[encoder] = embedder
            return self._embedders[encoder]

    def _start_threads(self, streams: int) -> None:
        for slot in range(self._threads, streams):
            threading.Thread(target=self._compute_or_exit, args=(slot,), daemon=True).start()
        self._threads = max(self._threads, streams)

    def _compute_or_exit(self, slot: int) -> None:
        """Take batch after batch; an error of the runtime ends the process."""
        try:
            while True:
                if batch := self.batcher.take():
                    self._compute(slot, batch)
        except BaseException:
            log.exception("the engine ends itself")
            os._exit(70)

    def _compute(self, slot: int, batch: Batch) -> None:
        started = time.perf_counter()
        embedder = batch.embedder
        self._suspects.begin(slot, batch.keys)
        vectors = embedder.compute(batch.encoded)
        self._suspects.end(slot, batch.keys)
        self.batcher.finish(batch, vectors)
        lengths = [len(encoded.ids) for encoded in batch.encoded]
        with self._computing:
            self._busy_s += time.perf_counter() - started
        metrics.ENGINE_TEXTS.inc(len(batch.keys))
        metrics.ENGINE_TOKENS.labels("real").inc(sum(lengths))
        metrics.ENGINE_TOKENS.labels("padding").inc(padded(lengths) - sum(lengths))
        metrics.ENGINE_QUEUE.set(self.batcher.waiting)

    def figures(self) -> dict[str, Any]:
        """Return what the console shows of the engine; counters since its start."""
        embedders = list(self._embedders.values())
        return {
            "ready": True,
            "encoders": {
                e.manifest.id: f"{e.runtime.name} {e.runtime.precision}" for e in embedders
            },
            "texts": self.batcher.texts,
            "encoded": self.batcher.encoded,
            "queue_texts": self.batcher.waiting,
            "tokens": sum(e.tokens for e in embedders),
            "padding_tokens": sum(e.padding for e in embedders),
            "busy_s": round(self._busy_s / max(1, self._threads), 3),  # of all streams together
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

    engine = Engine(load_encoder, settings.home / "run")
    heartbeat.start(settings, "engine", engine.figures)
    serve(settings.engine_address, engine)


if __name__ == "__main__":
    main(load())
