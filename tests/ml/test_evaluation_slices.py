"""Slices of the test split and the gaps between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.evaluation_report import Dimension, Gap, Slice
from ml.evaluation_slices import Traits, dimensions, groups, missing


def about(value: float) -> Any:
    return pytest.approx(value, abs=1e-4)


def measured(
    traits: Traits, right: list[bool], champion: list[bool] | None = None
) -> dict[str, Dimension]:
    accepted = np.ones(len(right), bool)
    found = dimensions(
        traits, np.array(right), accepted, None if champion is None else np.array(champion)
    )
    return {dimension.name: dimension for dimension in found}


def test_a_field_that_no_article_has_makes_no_slices() -> None:
    traits = Traits(texts=["x"] * 3, languages=[None] * 3, sources=["ap", None, None])
    assert sorted(groups(traits)) == ["length", "source"]
    assert missing(traits) == ["language", "time"]


def test_each_language_has_its_accuracy_and_the_gap_is_best_less_worst() -> None:
    traits = Traits(texts=["x"] * 90, languages=["en"] * 50 + ["zh"] * 40)
    right = [True] * 45 + [False] * 5 + [True] * 30 + [False] * 10
    found = measured(traits, right, [True] * 90)["language"]
    assert found.slices == [
        Slice(
            value="en",
            articles=50,
            accuracy=0.9,
            low=about(0.7864),
            high=about(0.9565),
            accepted=1.0,
            champion=1.0,
        ),
        Slice(
            value="zh",
            articles=40,
            accuracy=0.75,
            low=about(0.5981),
            high=about(0.8581),
            accepted=1.0,
            champion=1.0,
        ),
    ]
    assert found.gaps == {
        "accuracy": Gap(about(0.15), about(0.75 / 0.9)),
        "accepted": Gap(0.0, 1.0),
    }
    assert found.protected


def test_a_slice_of_less_than_thirty_articles_is_counted_and_not_shown() -> None:
    traits = Traits(texts=["x"] * 65, sources=["ap"] * 35 + ["dpa"] * 29 + [None])
    found = measured(traits, [True] * 65)["source"]
    assert [s.value for s in found.slices] == ["ap"]
    assert (found.too_small, found.gaps) == (1, {})


def test_lengths_come_from_short_to_long() -> None:
    traits = Traits(texts=["x" * 4_000] * 30 + ["x" * 249] * 31 + ["x" * 250] * 32)
    found = measured(traits, [True] * 93)["length"]
    assert [(s.value, s.articles) for s in found.slices] == [
        ("under 250 characters", 31),
        ("under 1,000 characters", 32),
        ("4,000 characters and more", 30),
    ]


def test_time_is_cut_into_four_equal_parts_that_the_gate_leaves_alone() -> None:
    days = [f"2026-01-{day:02}T08:00:00Z" for day in range(1, 29) for _ in range(5)]
    found = measured(Traits(texts=["x"] * 140, published=days), [True] * 140)["time"]
    assert [(s.value, s.articles) for s in found.slices] == [
        ("2026-01-01 to 2026-01-07", 35),
        ("2026-01-08 to 2026-01-14", 35),
        ("2026-01-15 to 2026-01-21", 35),
        ("2026-01-22 to 2026-01-28", 35),
    ]
    assert not found.protected


def test_the_quarters_of_one_day_are_told_apart_by_minutes() -> None:
    times = [f"2026-01-01T{hour:02}:30:00Z" for hour in range(4) for _ in range(30)]
    found = measured(Traits(texts=["x"] * 120, published=times), [True] * 120)["time"]
    assert [s.value for s in found.slices] == [
        "2026-01-01T00:30 to 2026-01-01T00:30",
        "2026-01-01T01:30 to 2026-01-01T01:30",
        "2026-01-01T02:30 to 2026-01-01T02:30",
        "2026-01-01T03:30 to 2026-01-01T03:30",
    ]
