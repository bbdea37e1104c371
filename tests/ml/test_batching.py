"""Which texts are encoded together."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from ml.batching import batches, bucket


def test_lengths_are_padded_to_a_multiple_of_16() -> None:
    assert [bucket(n) for n in (2, 16, 17)] == [16, 16, 32]


def test_batches_are_longest_first_and_within_the_budget() -> None:
    # 40 is padded to 48, and two of them are 96 tokens; 10 to 16.
    assert batches([10, 40, 10, 33], token_budget=96) == [[1, 3], [0, 2]]


def test_a_text_longer_than_the_budget_stands_alone() -> None:
    assert batches([500, 500], token_budget=96) == [[0], [1]]


def test_no_texts_are_no_batches() -> None:
    assert batches([], token_budget=96) == []


def test_a_little_padding_is_cheaper_than_another_batch() -> None:
    assert batches([32, 16, 16], token_budget=1024) == [[0, 1, 2]]


def test_another_batch_is_cheaper_than_much_padding() -> None:
    assert batches([256, 16, 16], token_budget=1024) == [[0], [1, 2]]


def test_what_does_not_fit_one_batch_is_cut_evenly() -> None:
    sizes = [len(batch) for batch in batches([16] * 70, token_budget=1024)]
    assert sizes == [35, 35]


def test_what_one_stream_computes_at_once_is_not_shared() -> None:
    assert batches([10, 12, 9, 11], token_budget=96, streams=2) == [[1, 3, 0, 2]]


def test_what_is_too_little_for_every_stream_is_shared_among_them() -> None:
    assert batches([128] * 10, token_budget=1024, streams=2) == [
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
        [8, 9],
    ]
    assert batches([10], token_budget=96, streams=2) == [[0]]


@given(st.lists(st.integers(1, 300)), st.integers(16, 2000), st.integers(1, 4))
def test_every_text_is_in_one_batch_within_the_budget(
    lengths: list[int], budget: int, streams: int
) -> None:
    planned = batches(lengths, budget, streams)
    assert sorted(chain.from_iterable(planned)) == list(range(len(lengths)))
    for batch in planned:
        width = bucket(max(lengths[n] for n in batch))
        assert len(batch) == 1 or len(batch) * width <= budget
