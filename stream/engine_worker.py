"""An encoder in a process of its own: loads, warms up, and turns texts into vectors.

Started by the router as `python -m stream.engine_worker ENCODER NAME DESCRIPTOR`. A thread for each
connection reads its request and tokenizes; a thread for each of the runtime's streams computes,
outside Python's lock, so the next requests are tokenized meanwhile. A crash of the runtime ends
this process alone: the router starts another and asks anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from infra.settings import Settings, load
from ml.artifact import ArtifactError, EncoderManifest, encoder_path, load_manifest
from ml.embedder import Embedder
from ml.runtimes import allowed_threads
from stream import engine_control, engine_wire
from stream.batcher import Batch, Batcher
from stream.engine_control import Report
from stream.engine_wire import Answer, Describe, Description, Refusal, Request, Vectors
from stream.suspects import Suspects

log = logging.getLogger(__name__)

WARM_UP = ["Oil prices rose.", "Shares fell sharply in heavy trading on Monday. " * 8]
BROKEN = 70  # exit status: a fresh process is cheaper than a runtime in an unknown state


class Engine:
    """One encoder, and the threads that compute with it."""

    def __init__(
        self, encoder: str, load_encoder: Callable[[], Embedder], suspects: Suspects
    ) -> None:
        """`suspects` outlive the process: what was computed when an engine died."""
        self._encoder = encoder
        self._load = load_encoder
        self._suspects = suspects
        self._loading = threading.Lock()
        self._known: Embedder | None = None
        self._refused = ""
        self._computing = threading.Lock()
        self._busy_s = 0.0
        self.batcher = Batcher(suspects)

    def load(self) -> None:
        """Load the encoder and warm it up; one that is refused is tried again when asked for."""
        with contextlib.suppress(ArtifactError):
            self._embedder()

    def answer(self, request: Request) -> Answer:
        """Answer one request; may be called from any thread."""
        if request.encoder != self._encoder:
            return Refusal(f"asked for {request.encoder}, but this process is {self._encoder}'s")
        try:
            embedder = self._embedder()
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
        encoded = embedder.tokenizer.encode(request.texts)
        done = self.batcher.submit(embedder, request.texts, encoded).result()
        truncated = [e.truncated for e in encoded]
        return Vectors(self._encoder, done.vectors.tobytes(), truncated, done.poisonous)

    def _embedder(self) -> Embedder:
        if self._known is not None:
            return self._known
        with self._loading:
            if self._known is None:
                started = time.perf_counter()
                try:
                    embedder = self._load()
                except ArtifactError as error:
                    self._refused = str(error)
                    raise
                embedder.embed(WARM_UP)
                for slot in range(embedder.runtime.streams):
                    threading.Thread(
                        target=self._compute_or_exit, args=(slot,), daemon=True
                    ).start()
                log.warning(
                    "%s runs on %s in %s, %d streams, ready after %.1f s",
                    self._encoder,
                    embedder.runtime.name,
                    embedder.runtime.precision,
                    embedder.runtime.streams,
                    time.perf_counter() - started,
                )
                self._known = embedder
            return self._known

    def _compute_or_exit(self, slot: int) -> None:
        """Take batch after batch; an error of the runtime ends the process."""
        with _ending_on_error():
            while True:
                if batch := self.batcher.take():
                    self._compute(slot, batch)

    def _compute(self, slot: int, batch: Batch) -> None:
        started = time.perf_counter()
        self._suspects.begin(slot, batch.keys)
        vectors = batch.embedder.compute(batch.encoded)
        self._suspects.end(slot, batch.keys)
        self.batcher.finish(batch, vectors)
        with self._computing:
            self._busy_s += time.perf_counter() - started

    def report(self) -> Report:
        """Return what this process has done so far."""
        embedder = self._known
        if embedder is None:
            return Report(refused=self._refused)
        return Report(
            ready=True,
            fingerprint=embedder.fingerprint,
            runtime=f"{embedder.runtime.name} {embedder.runtime.precision}",
            texts=self.batcher.texts,
            encoded=self.batcher.encoded,
            batches=self.batcher.batches,
            tokens=embedder.tokens,
            padding_tokens=embedder.padding,
            busy_s=self._busy_s / embedder.runtime.streams,
            queue_texts=self.batcher.waiting,
        )


@contextlib.contextmanager
def _ending_on_error() -> Iterator[None]:
    """End the process on any error: tokenizer or runtime are in a state we do not know."""
    try:
        yield
    except BaseException:
        log.exception("the engine ends itself")
        os._exit(BROKEN)


def serve(control: socket.socket, engine: Engine) -> None:
    """Load, and answer every connection that the router passes, until the router has gone."""
    threading.Thread(target=_load, args=(engine, control), daemon=True).start()
    while (connection := engine_control.next_connection(control)) is not None:
        threading.Thread(target=_serve_one, args=(connection, engine), daemon=True).start()


def _load(engine: Engine, control: socket.socket) -> None:
    """Load the encoder, then report for ever what has changed."""
    with _ending_on_error():
        engine.load()
        told = None
        while True:
            report = engine.report()
            if report != told:
                try:
                    engine_control.send_report(control, report)
                except OSError:
                    os._exit(0)  # the router has gone
                told = report
            time.sleep(engine_control.REPORT_EVERY_S)


def _serve_one(connection: socket.socket, engine: Engine) -> None:
    with connection, _ending_on_error():
        try:
            while (request := engine_wire.receive_request(connection)) is not None:
                engine_wire.send(connection, engine.answer(request))
        except (OSError, msgspec.DecodeError) as error:
            log.info("a connection ended: %s", error)


def run(settings: Settings, arguments: list[str], load_encoder: Callable[[str], Embedder]) -> None:
    """Be the worker that the router started with these arguments, until the router has gone."""
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the router, whose end is ours
    encoder, name, descriptor = arguments
    suspects = Suspects(settings.home / "run", name)
    with socket.socket(fileno=int(descriptor)) as control:
        serve(control, Engine(encoder, lambda: load_encoder(encoder), suspects))
    os._exit(0)  # whatever is being computed, nobody waits for it


def main(settings: Settings, arguments: list[str]) -> None:
    """Serve an encoder of the home; engines of one encoder share the cores."""
    threads = settings.threads or max(1, allowed_threads() // settings.engines)

    def load_encoder(encoder: str) -> Embedder:
        path = encoder_path(settings.home, encoder)
        is_int8 = load_manifest(path, EncoderManifest).precision == "int8"
        return Embedder(
            path,
            "openvino" if is_int8 else settings.runtime,  # on the CPU: nothing else runs it
            settings.precision,
            threads,
            settings.token_budget,
        )

    run(settings, arguments, load_encoder)


if __name__ == "__main__":
    main(load(), sys.argv[1:])
