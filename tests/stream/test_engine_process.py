"""The engine's own arithmetic: doubles that arrive together or one after another."""

from __future__ import annotations

import threading
from typing import Any, cast

import numpy as np

from ml.embedder import Embedder
from ml.tokenizer import Encoded
from stream.engine_process import Engine, Recent
from stream.engine_wire import Embed, Vectors

BIRD, FISH = ("oil", "0" * 32), ("oil", "1" * 32)


class LetterEmbedder:
    """A stand-in for an encoder of 90 MB: a text's vector is its length."""

    manifest = type("Manifest", (), {"id": "letters+0000", "width": 1})
    runtime = type("Runtime", (), {"name": "letters", "precision": "f32"})
    tokens = padding = 0

    def __init__(self) -> None:
        self.tokenizer = self
        self.encodings: list[int] = []

    def embed(self, texts: list[str]) -> None: ...

    def encode(self, texts: list[Any]) -> Any:
        if texts and isinstance(texts[0], str):
            return [Encoded(np.zeros(len(text), np.int32), False) for text in texts]
        self.encodings.append(len(texts))
        return np.array([[len(e.ids)] for e in texts], np.float16).reshape(-1, 1)


class Running:
    """An engine that computes in a thread."""

    def __init__(self) -> None:
        self.embedder = LetterEmbedder()
        self.engine = Engine(lambda _: cast("Embedder", self.embedder))
        threading.Thread(target=self.engine.compute_for_ever, daemon=True).start()

    def embed(self, *texts: str) -> list[float]:
        answer = self.engine.answer(Embed("letters+0000", list(texts)))
        assert isinstance(answer, Vectors)
        return [float(v) for v in np.frombuffer(answer.vectors, np.float16)]


def test_equal_texts_of_one_request_are_encoded_once() -> None:
    running = Running()
    assert running.embed("oil", "wheat", "oil") == [3.0, 5.0, 3.0]
    assert running.engine.encoded == 2


def test_a_text_asked_for_again_at_once_is_not_encoded_again() -> None:
    running = Running()
    running.embed("oil", "wheat")
    assert running.embed("gold", "oil") == [4.0, 3.0]
    assert running.engine.encoded == 3
    assert running.embed("oil") == [3.0]
    assert running.engine.encoded == 3


def test_vectors_are_forgotten_after_their_time() -> None:
    recent = Recent(keep_s=0.0)
    recent.put(BIRD, np.ones(1, np.float16))
    recent.forget()
    assert recent.get(BIRD) is None


def test_the_oldest_of_too_many_vectors_goes_first() -> None:
    recent = Recent(texts=1)
    recent.put(BIRD, np.ones(1, np.float16))
    recent.put(FISH, np.ones(1, np.float16))
    recent.forget()
    assert recent.get(BIRD) is None
    assert recent.get(FISH) is not None
