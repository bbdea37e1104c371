"""A peer in its process: texts over a pipe, timings back, so that two LLVMs never meet in one."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from infra.settings import ROOT
from tests.bench.peers.environment import Environment, PeersUnavailable

STOP_S = 10.0


@dataclass(frozen=True)
class Peer:
    """A way to run the encoder: module and variant under tests/bench/peers.

    `documented`: as its documentation shows, to be beaten; else as an expert would use it. `exact`
    is False where it computes in int8, which changes answers.
    """

    title: str
    module: str
    variant: str
    documented: bool
    exact: bool = True


PEERS = (
    Peer("sentence-transformers", "sentence_transformers_peer", "torch", documented=True),
    Peer("sentence-transformers, onnx", "sentence_transformers_peer", "onnx", documented=True),
    Peer(
        "sentence-transformers, openvino", "sentence_transformers_peer", "openvino", documented=True
    ),
    Peer("ONNX Runtime", "onnxruntime_peer", "documented", documented=True),
    Peer("OpenVINO", "openvino_peer", "documented", documented=True),
    Peer("ONNX Runtime, expert, f32", "onnxruntime_peer", "expert", documented=False),
    Peer("OpenVINO, expert, bf16", "openvino_peer", "expert", documented=False),
    Peer("ONNX Runtime, expert, int8", "onnxruntime_peer", "int8", documented=False, exact=False),
)


@dataclass
class Process:
    """One running peer; ended by `close`."""

    child: subprocess.Popen[str]
    log: IO[bytes] = field(repr=False)

    @classmethod
    def start(cls, environment: Environment, module: str, *arguments: str) -> Process:
        """Start a module of tests/bench/peers and wait until it is ready.

        Raises PeersUnavailable.
        """
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        child = subprocess.Popen(
            [str(environment.python), "-m", f"tests.bench.peers.{module}", *arguments],
            cwd=ROOT,
            env=environment.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        process = cls(child, log)
        try:
            process.read()
        except PeersUnavailable:
            process.close()
            raise
        return process

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send one line and return the answer; raises PeersUnavailable."""
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        """Return the peer's next line; raises PeersUnavailable where it has died."""
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            self.log.seek(0)
            words = self.log.read()[-1500:].decode(errors="replace")
            raise PeersUnavailable(f"{' '.join(map(str, self.child.args))}: {words}")  # type: ignore[arg-type]  # a list, as we started it
        answer: dict[str, Any] = json.loads(line)
        return answer

    def seconds(self, texts: Sequence[str]) -> float:
        """Return how long the peer took to encode `texts`, tokenizing included."""
        return float(self.ask({"texts": list(texts), "vectors": False})["seconds"])

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return the peer's embeddings of `texts`, float32 `(N, D)`."""
        answer = self.ask({"texts": list(texts), "vectors": True})
        raw = base64.b64decode(answer["vectors"])
        return np.frombuffer(raw, np.float32).reshape(answer["shape"])

    def close(self) -> None:
        """End the process."""
        for pipe in (self.child.stdin, self.child.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # it had died with words of ours unread
                pipe.close()
        try:
            self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


def start(environment: Environment, peer: Peer) -> Process:
    """Start one of PEERS; raises PeersUnavailable."""
    return Process.start(environment, peer.module, peer.variant, str(Path(environment.models)))
