"""One site of a federated fit: `python -m ml.federated_site FILE`.

It holds labelled embeddings that never leave it and answers questions on standard input with sums
over all its articles. Questions and answers are msgpack behind a length of 4 bytes (little endian),
so a site on another machine is the same command behind ssh. Ends when its input does.

FILE is safetensors: `embeddings` float16 `(N, D)`; `labels` int32 `(N,)` into the `names`, UTF-8
JSON as uint8; `validation` uint8 `(N,)`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from ml.artifact import read_tensors, write_tensors
from ml.probabilities import softmax

LENGTH = struct.Struct("<I")
LARGEST = 1 << 28  # bytes of one message; more is no message of ours


class Site:
    """Labelled embeddings, and the sums that a site tells of them."""

    def __init__(
        self, embeddings: np.ndarray, labels: Sequence[str], validation: np.ndarray
    ) -> None:
        """Keep embeddings `(N, D)` with their labels; `validation` is bool `(N,)`."""
        ones = np.ones((len(embeddings), 1))
        self._inputs = np.hstack([embeddings.astype(np.float64), ones])  # (N, D + 1)
        self._labels = list(labels)
        self._validation = validation
        self._truth = np.empty(0, np.int64)

    def known(self) -> tuple[int, dict[str, int]]:
        """Return the width of its embeddings, and how many articles it has of each label."""
        names = sorted(set(self._labels))
        return self._inputs.shape[1] - 1, {name: self._labels.count(name) for name in names}

    def agree(self, labels: Sequence[str]) -> None:
        """Take the order of the labels of all sites together."""
        place = {label: n for n, label in enumerate(labels)}
        self._truth = np.array([place[label] for label in self._labels], np.int64)

    def gradient(self, table: np.ndarray, *, all_rows: bool) -> tuple[float, np.ndarray]:
        """Return the summed cross-entropy and its gradient at weights and bias `(D + 1, L)`.

        Of the training articles, or of all.
        """
        rows = np.ones(len(self._truth), bool) if all_rows else ~self._validation
        inputs, truth = self._inputs[rows], self._truth[rows]
        scores = softmax(inputs @ table)
        chosen = scores[np.arange(len(truth)), truth]
        scores[np.arange(len(truth)), truth] -= 1
        return float(-np.log(np.maximum(chosen, 1e-300)).sum()), inputs.T @ scores

    def right(self, table: np.ndarray) -> tuple[int, int]:
        """Return how many validation articles a head gets right, and of how many."""
        answers = (self._inputs[self._validation] @ table).argmax(axis=1)
        return int((answers == self._truth[self._validation]).sum()), len(answers)


def save_site(
    file: Path, embeddings: np.ndarray, labels: Sequence[str], validation: np.ndarray
) -> None:
    """Write a site's file."""
    names = sorted(set(labels))
    place = {name: n for n, name in enumerate(names)}
    tensors: dict[str, np.ndarray] = {
        "embeddings": embeddings.astype(np.float16),
        "labels": np.array([place[label] for label in labels], np.int32),
        "names": np.frombuffer(msgspec.json.encode(names), np.uint8),
        "validation": validation.astype(np.uint8),
    }
    file.write_bytes(write_tensors(tensors))


def load_site(file: Path) -> Site:
    """Read a site's file; raises ArtifactError or msgspec's errors."""
    tensors = read_tensors(file)
    names = msgspec.json.decode(tensors["names"].tobytes(), type=list[str])
    labels = [names[n] for n in tensors["labels"].tolist()]
    return Site(tensors["embeddings"], labels, tensors["validation"].astype(bool))


def send(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Write one message and flush it."""
    content = msgspec.msgpack.encode(message)
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """Read one message, None at the end; raises ValueError where it is cut off or absurd."""
    head = stream.read(LENGTH.size)
    if not head:
        return None
    if len(head) < LENGTH.size or (size := LENGTH.unpack(head)[0]) > LARGEST:
        raise ValueError("what was read is no message of a site")
    content = stream.read(size)
    if len(content) < size:
        raise ValueError(f"expected {size} bytes, got {len(content)}")
    return msgspec.msgpack.decode(content, type=dict[str, Any])


def table_of(message: dict[str, Any]) -> np.ndarray:
    """Return the float64 matrix of a message."""
    return np.frombuffer(message["table"], np.float64).reshape(message["shape"])


def answer(site: Site, question: dict[str, Any]) -> dict[str, Any]:
    """Return a site's answer to one question."""
    match question["ask"]:
        case "known":
            width, counts = site.known()
            return {"width": width, "counts": counts}
        case "agree":
            site.agree(question["labels"])
            return {}
        case "gradient":
            loss, gradient = site.gradient(table_of(question), all_rows=question["all_rows"])
            return {"loss": loss, "table": gradient.tobytes(), "shape": gradient.shape}
        case "right":
            right, of = site.right(table_of(question))
            return {"right": right, "of": of}
        case other:
            raise ValueError(f"a site is not asked {other!r}")


def main() -> int:
    """Answer until nobody asks any more."""
    site = load_site(Path(sys.argv[1]))
    with threadpool_limits(1):  # the same sums on every run
        while (question := receive(sys.stdin.buffer)) is not None:
            send(sys.stdout.buffer, answer(site, question))
    return 0


if __name__ == "__main__":
    sys.exit(main())
