"""The split by time: older articles train, the newest test."""

from __future__ import annotations

import numpy as np

from ml.evaluation_time import order, time_ordered


def test_the_newest_fifth_is_tested_and_undated_articles_are_left_out() -> None:
    older, newest = order(["2026-05", None, "2026-01", "2026-04", "2026-03", "2026-02"])
    assert (older.tolist(), newest.tolist()) == ([2, 5, 4, 3], [0])


def test_articles_of_one_moment_stay_together() -> None:
    older, newest = order(["2026-01", "2026-02", "2026-03", "2026-03", "2026-03"])
    assert (older.tolist(), newest.tolist()) == ([0, 1], [2, 3, 4])


def test_a_head_that_learned_yesterdays_words_fails_on_todays() -> None:
    # Until March the first direction says earn, from then on it says acq.
    old = np.tile(np.eye(2), (80, 1))
    embeddings = np.vstack([old, old[:40]]).astype(np.float16)
    labels = ["earn", "acq"] * 80 + ["acq", "earn"] * 20
    days = [f"2026-01-01T00:{n:04}" for n in range(160)] + ["2026-03-01T00:00:00Z"] * 40
    found = time_ordered(embeddings, labels, days)
    assert found is not None
    assert (found.train, found.test, found.since) == (160, 40, "2026-03-01T00:00:00Z")
    assert (found.accuracy.value, found.accuracy.high) == (0.0, 0.0)


def test_too_few_dated_articles_give_no_split() -> None:
    embeddings = np.tile(np.eye(2), (50, 1)).astype(np.float16)
    days = ["2026-01-01"] * 40 + [None] * 60
    assert time_ordered(embeddings, ["earn", "acq"] * 50, days) is None


def test_older_articles_of_one_label_give_no_split() -> None:
    embeddings = np.ones((200, 2), np.float16)
    days = [f"2026-01-01T00:{n:04}" for n in range(200)]
    assert time_ordered(embeddings, ["earn"] * 160 + ["acq"] * 40, days) is None
