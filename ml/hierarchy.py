"""Labels in a tree: which label is part of which, and what that means for labels and probabilities.

A tree is a parent map, `{"football": "sport"}`; a label that is no key is a root.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

SEPARATOR = "/"  # between the steps of a label path, as in sport/football


class TreeError(ValueError):
    """A label tree that is none; the message says where."""


def from_paths(paths: Iterable[str]) -> dict[str, str]:
    """Return the parent map of labels that are paths: `sport/football` is part of `sport`."""
    tree: dict[str, str] = {}
    for path in paths:
        steps = path.split(SEPARATOR)
        if not all(step.strip() for step in steps):
            raise TreeError(f"{path!r} is no label path: a step between the {SEPARATOR} is empty")
        for depth in range(1, len(steps)):
            tree[SEPARATOR.join(steps[: depth + 1])] = SEPARATOR.join(steps[:depth])
    return tree


def check(tree: Mapping[str, str]) -> None:
    """Raise TreeError where following the parents never ends."""
    for label in tree:
        seen = [label]
        while (parent := tree.get(seen[-1])) is not None:
            if parent in seen:
                raise TreeError("the label tree has a circle: " + " < ".join([*seen, parent]))
            seen.append(parent)


def ancestors(tree: Mapping[str, str], label: str) -> list[str]:
    """Return the labels that `label` is part of, nearest first."""
    above = []
    while (label := tree.get(label, "")) != "":
        above.append(label)
    return above


def close(tree: Mapping[str, str], labels: Collection[str]) -> list[str]:
    """Return these labels and all that they are part of, sorted."""
    return sorted({*labels, *(above for label in labels for above in ancestors(tree, label))})


def order(tree: Mapping[str, str], labels: Sequence[str]) -> list[tuple[int, int]]:
    """Return (child, parent) places in `labels`, the deepest children first.

    In this order each child has been settled before it is counted towards its parent. A parent
    that is not among `labels` raises TreeError.
    """
    place = {label: n for n, label in enumerate(labels)}
    edges = [(child, parent) for child, parent in tree.items() if child in place]
    if missing := sorted({parent for _, parent in edges if parent not in place}):
        raise TreeError(f"the label tree names {', '.join(missing)}, which the head does not know")
    edges.sort(key=lambda edge: len(ancestors(tree, edge[0])), reverse=True)
    return [(place[child], place[parent]) for child, parent in edges]


def roll_up(edges: Sequence[tuple[int, int]], scores: np.ndarray) -> np.ndarray:
    """Return `scores` `(B, L)` with every ancestor at least as certain as what is part of it."""
    rolled = scores.copy()
    for child, parent in edges:
        np.maximum(rolled[:, parent], rolled[:, child], out=rolled[:, parent])
    return rolled
