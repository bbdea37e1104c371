"""Label trees: small ones whose closure and roll-up can be read off."""

from __future__ import annotations

import numpy as np
import pytest

from ml.hierarchy import TreeError, check, close, from_paths, order, roll_up

TREE = {"football": "sport", "cup": "football", "tennis": "sport"}


def test_label_paths_make_a_tree() -> None:
    assert from_paths(["sport/football/cup", "sport/tennis", "weather"]) == {
        "sport/football": "sport",
        "sport/football/cup": "sport/football",
        "sport/tennis": "sport",
    }


def test_a_path_with_an_empty_step_is_refused() -> None:
    with pytest.raises(TreeError, match="'sport//cup' is no label path"):
        from_paths(["sport//cup"])


def test_a_label_brings_what_it_is_part_of() -> None:
    assert close(TREE, ["cup", "weather"]) == ["cup", "football", "sport", "weather"]


def test_a_circle_is_refused() -> None:
    with pytest.raises(TreeError, match="a circle: a < b < a"):
        check({"a": "b", "b": "a"})


def test_an_ancestor_is_as_certain_as_its_surest_descendant() -> None:
    labels = ["sport", "football", "cup", "tennis"]
    scores = np.array([[0.1, 0.2, 0.9, 0.3], [0.8, 0.2, 0.1, 0.4]], np.float32)
    np.testing.assert_array_equal(
        roll_up(order(TREE, labels), scores),
        np.array([[0.9, 0.9, 0.9, 0.3], [0.8, 0.2, 0.1, 0.4]], np.float32),
    )


def test_a_parent_that_the_head_does_not_know_is_named() -> None:
    with pytest.raises(TreeError, match="the label tree names sport"):
        order(TREE, ["football", "cup"])
