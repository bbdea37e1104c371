"""The engine's queue: doubles once, oldest requests first, batches of like length."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ml.batching import batches
from ml.embedder import Embedder
from ml.text import digest
from ml.tokenizer import Encoded
from stream.batcher import PLANNED, Batch, Batcher, Recent
from stream.suspects import Suspects

BIRD, FISH = ("oil", "0" * 32), ("oil", "1" * 32)
BUDGET = 64


class LetterEmbedder:
    """A stand-in for an encoder of 90 MB: a text has as many tokens as letters."""

    def __init__(self, name: str = "letters+0000") -> None:
        self.manifest = type("Manifest", (), {"id": name, "width": 1})

    def plan(self, encoded: Sequence[Encoded]) -> list[list[int]]:
        return batches([len(e.ids) for e in encoded], BUDGET)


letters = cast("Embedder", LetterEmbedder())


@pytest.fixture
def batcher(tmp_path: Path) -> Batcher:
    return Batcher(Suspects(tmp_path))


def tokens(*texts: str) -> list[Encoded]:
    return [Encoded(np.zeros(len(text), np.int32), False) for text in texts]


def finish(batcher: Batcher, batch: Batch) -> None:
    """Be the encoder: a text's vector is its length."""
    vectors = np.array([[len(e.ids)] for e in batch.encoded], np.float16)
    batcher.finish(batch, vectors)


def take(batcher: Batcher) -> Batch:
    batch = batcher.take(wait_s=5.0)
    assert batch is not None
    return batch


def test_equal_texts_of_one_request_are_computed_once(batcher: Batcher) -> None:
    texts = ["oil", "wheat", "oil"]
    answer = batcher.submit(letters, texts, tokens(*texts))
    finish(batcher, take(batcher))
    assert answer.result(5.0).vectors.tolist() == [[3.0], [5.0], [3.0]]
    assert (batcher.texts, batcher.encoded, batcher.waiting) == (3, 2, 0)


def test_a_text_asked_for_while_it_is_computed_is_not_computed_again(batcher: Batcher) -> None:
    first = batcher.submit(letters, ["oil"], tokens("oil"))
    batch = take(batcher)
    second = batcher.submit(letters, ["oil", "wheat"], tokens("oil", "wheat"))
    finish(batcher, batch)
    assert first.result(5.0).vectors.tolist() == [[3.0]]
    assert not second.done()
    finish(batcher, take(batcher))
    assert second.result(5.0).vectors.tolist() == [[3.0], [5.0]]
    assert batcher.encoded == 2


def test_a_text_computed_just_before_is_answered_at_once(batcher: Batcher) -> None:
    batcher.submit(letters, ["oil"], tokens("oil"))
    finish(batcher, take(batcher))
    assert batcher.submit(letters, ["oil"], tokens("oil")).result(0).vectors.tolist() == [[3.0]]
    assert batcher.take(wait_s=0.0) is None


def test_two_encoders_never_share_a_batch_or_a_vector(batcher: Batcher) -> None:
    other = cast("Embedder", LetterEmbedder("others+0000"))
    batcher.submit(letters, ["oil"], tokens("oil"))
    batcher.submit(other, ["oil"], tokens("oil"))
    both = [take(batcher), take(batcher)]
    assert {batch.embedder.manifest.id for batch in both} == {"letters+0000", "others+0000"}


def test_requests_are_planned_together_and_batched_by_length(batcher: Batcher) -> None:
    long, short = "x" * 32, "y" * 16
    batcher.submit(letters, [long, short], tokens(long, short))
    batcher.submit(letters, [short + "z", long[1:]], tokens(short + "z", long[1:]))
    assert [len(e.ids) for e in take(batcher).encoded] == [32, 31]
    assert [len(e.ids) for e in take(batcher).encoded] == [17, 16]


def test_whoever_waits_longest_goes_first(batcher: Batcher) -> None:
    batcher.submit(letters, ["y" * 16], tokens("y" * 16))
    batcher.submit(letters, ["x" * 64], tokens("x" * 64))
    assert [len(e.ids) for e in take(batcher).encoded] == [16]
    assert [len(e.ids) for e in take(batcher).encoded] == [64]


def test_a_flood_does_not_overtake_the_texts_before_it(batcher: Batcher) -> None:
    batcher.submit(letters, ["a"], tokens("a"))
    flood = ["x" * 16 + str(n) for n in range(2 * PLANNED)]
    batcher.submit(letters, flood, tokens(*flood))
    taken = 0
    while taken < PLANNED:
        batch = take(batcher)
        taken += len(batch.keys)
        finish(batcher, batch)
    assert batcher.submit(letters, ["a"], tokens("a")).done()


def test_no_texts_are_answered_at_once(batcher: Batcher) -> None:
    assert batcher.submit(letters, [], []).result(0).vectors.shape == (0, 1)


def test_a_thread_that_waits_is_woken(batcher: Batcher) -> None:
    thread = threading.Thread(target=lambda: finish(batcher, take(batcher)))
    thread.start()
    answer = batcher.submit(letters, ["oil"], tokens("oil"))
    assert answer.result(5.0).vectors.tolist() == [[3.0]]
    thread.join(5.0)


def test_a_suspect_is_computed_while_nothing_else_is(tmp_path: Path) -> None:
    dead = Suspects(tmp_path)
    dead.begin(0, [("letters+0000", digest("oil"))])
    batcher = Batcher(Suspects(tmp_path))
    batcher.submit(letters, ["x" * 40, "y" * 40, "oil"], tokens("x" * 40, "y" * 40, "oil"))
    alone = take(batcher)
    assert [len(e.ids) for e in alone.encoded] == [3]
    assert batcher.take(wait_s=0.01) is None
    finish(batcher, alone)
    others = [take(batcher), take(batcher)]
    assert [len(batch.keys) for batch in others] == [1, 1]


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
