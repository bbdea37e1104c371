"""Heads asked together and alone: the same answers, the same bits."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ml.answers import answers
from ml.artifact import ModelManifest
from ml.head import Head, summable
from ml.panel import Panel, is_plain

WIDTH = 384
ROWS = 5_000


def head(seed: int, labels: int = 8, **manifest: object) -> Head:
    """Return a head of random weights as large as trained ones."""
    draw = np.random.default_rng(seed)
    plain = ModelManifest(
        classifier=f"topic-{seed}",
        encoder="minilm-l6+17e1",
        labels=[f"label {n}" for n in range(labels)],
        languages=["en"],
        temperature=1.3,
        threshold=0.75,
        dataset="r8+33abca7c",
        created_at="2026-03-01T12:00:00.000Z",
    )
    weights = draw.normal(scale=2, size=(WIDTH, labels)).astype(np.float32)
    return Head(msgspec.structs.replace(plain, **manifest), weights, draw.normal(size=labels))


def unit_vectors(rows: int) -> np.ndarray:
    vectors = np.random.default_rng(9).normal(size=(rows, WIDTH))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


MIXED = [
    *[head(n) for n in range(30)],
    *[head(n, labels=52) for n in range(30, 34)],
    head(34, threshold=None),
    head(35, abstain_below=0.6),
    head(36, kind="multilabel", threshold=None, thresholds=[0.5] * 8),
    head(37, isotonic=[[0.0, 0.5, 1.0], [0.1, 0.5, 0.9]]),
    head(38, labels=1),
]


def test_a_panel_answers_thousands_of_texts_as_every_head_alone() -> None:
    vectors = unit_vectors(ROWS)
    together = Panel(MIXED).answers(vectors)
    for one, given in zip(MIXED, together, strict=True):
        assert given == answers(one, one.scores(vectors))
        assert {len(one.manifest.labels)} != {8} or len({a[0].confidence for a in given}) > 1_000


def test_a_score_has_the_same_bits_whatever_the_batch() -> None:
    vectors = unit_vectors(400)
    for one in (MIXED[0], MIXED[30]):
        whole = one.scores(vectors)
        alone = np.concatenate([one.scores(vectors[n : n + 1]) for n in range(len(vectors))])
        sevens = np.concatenate([one.scores(vectors[n : n + 7]) for n in range(0, 400, 7)])
        assert whole.tobytes() == alone.tobytes() == sevens.tobytes()


def test_logits_are_exact_sums_in_any_order() -> None:
    order = np.random.default_rng(1).permutation(WIDTH)
    weights = summable(np.random.default_rng(2).normal(scale=30, size=(WIDTH, 40)))
    vectors = unit_vectors(200).astype(np.float64)
    forwards = (vectors[:, :, None] * weights).cumsum(axis=1)[:, -1]
    shuffled = (vectors[:, order, None] * weights[order]).cumsum(axis=1)[:, -1]
    assert forwards.tobytes() == shuffled.tobytes() == (vectors @ weights).tobytes()


def test_rounding_the_weights_costs_less_than_float32_does() -> None:
    weights = np.random.default_rng(3).normal(scale=2, size=(WIDTH, 8))
    norms = np.linalg.norm(weights, axis=0)
    assert (np.abs(summable(weights) - weights) <= norms * 2.0**-27).all()


def test_weights_of_nothing_stay_nothing() -> None:
    assert not summable(np.zeros((4, 2))).any()


@pytest.mark.parametrize(
    ("n", "plain"), [(0, True), (34, True), (35, False), (36, False), (37, False)]
)
def test_only_heads_that_always_give_their_likeliest_label_are_plain(n: int, plain: bool) -> None:
    assert is_plain(MIXED[n]) is plain


def test_no_texts_have_no_answers() -> None:
    assert Panel(MIXED).answers(np.empty((0, WIDTH), np.float16)) == [[] for _ in MIXED]
