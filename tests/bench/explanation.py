"""How faithful explanations are: `python -m tests.bench.explanation [ARTICLES]`.

Words are deleted from test articles, those that the explanation weighs most first, and the
confidence in the label is measured again: the deletion curve. A faithful explanation lets it fall
far faster than deleting words at random. The area over the curve is DeYoung et al.'s (2020, ERASER,
arXiv:1911.03429) comprehensiveness, averaged over their shares of words (AOPC).
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from infra import settings as settings_file
from ml.artifact import encoder_path, find_dataset, list_models, model_path
from ml.datasets import Row, load_dataset
from ml.embedder import Embedder
from ml.explanation import Explainer, Explanation
from ml.head import Head
from tests.bench import machine

ARTICLES = 50
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words: ERASER's
RANDOM_ORDERS = 5
SEED = 8


def main() -> int:
    """Measure, print a table for people and one JSON line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ARTICLES
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(machine.describe())
    figures = measure(settings_file.load().assets, count, console)
    print(json.dumps(figures))
    return 0


def measure(assets: Path, count: int, console: Console) -> dict[str, float]:
    """Return the figures of `count` test articles of R8 under the factory model."""
    model = list_models(assets, "topic")[-1]
    head = Head.load(model_path(assets, model.name))
    embedder = Embedder(encoder_path(assets, model.encoder))
    explainer = Explainer(assets)
    rows = _chosen(load_dataset(assets, find_dataset(assets, "r8").id)[1], count)
    explainer.explain(model.name, rows[0].title, rows[0].body)  # warm
    draw = random.Random(SEED)
    seconds, errors, steps = [], [], []
    curves: dict[str, list[list[float]]] = {"by weight": [], "at random": [], "least first": []}
    for row in rows:
        began = time.perf_counter()
        found = explainer.explain(model.name, row.title, row.body)
        seconds.append(time.perf_counter() - began)
        errors.append(found.completeness_error)
        steps.append(found.steps)
        label = model.labels.index(found.label)
        by_weight = sorted(range(len(found.words)), key=lambda n: -found.words[n].weight)
        orders = [by_weight, by_weight[::-1]]
        orders += [draw.sample(by_weight, len(by_weight)) for _ in range(RANDOM_ORDERS)]
        texts = [_without(found, order, share) for order in orders for share in SHARES]
        vectors, _ = embedder.embed(texts)
        confidences = head.scores(vectors)[:, label].reshape(len(orders), len(SHARES))
        falls = found.confidence - confidences
        curves["by weight"].append(falls[0].tolist())
        curves["least first"].append(falls[1].tolist())
        curves["at random"].append(falls[2:].mean(axis=0).tolist())
    table = Table("confidence lost by deleting", *(f"{share:.0%}" for share in SHARES), "AOPC")
    means = {name: np.mean(curve, axis=0) for name, curve in curves.items()}
    for name, mean in means.items():
        table.add_row(f"words {name}", *(f"{fall:+.3f}" for fall in mean), f"{mean.mean():+.3f}")
    console.print(table)
    areas = {name: np.mean(curve, axis=1) for name, curve in curves.items()}
    better = float(np.mean(areas["by weight"] > areas["at random"]))
    figures = {
        "articles": float(len(rows)),
        "aopc": float(means["by weight"].mean()),
        "aopc_random": float(means["at random"].mean()),
        "above_random": better,
        "completeness_error_median": float(np.median(errors)),
        "completeness_error_max": float(max(errors)),
        "steps_max": float(max(steps)),
        "seconds_median": float(np.median(seconds)),
        "seconds_max": float(max(seconds)),
    }
    console.print(
        f"{len(rows)} articles, {model.name}: the area is larger than at random for "
        f"{better:.0%} of them; completeness error median "
        f"{figures['completeness_error_median']:.2%}, worst {figures['completeness_error_max']:.2%} "
        f"({max(steps)} steps at most); {figures['seconds_median']:.2f} s an explanation, "
        f"{figures['seconds_max']:.2f} s the longest"
    )
    return figures


def _chosen(rows: Sequence[Row], count: int) -> list[Row]:
    """Return test articles, as many of every label as there are, the same at every call."""
    test = [row for row in rows if row.split == "test"]
    random.Random(SEED).shuffle(test)
    seen: dict[str, int] = {}
    turn = {}
    for row in test:
        seen[row.label] = turn[row.uri] = seen.get(row.label, -1) + 1
    return sorted(test, key=lambda row: turn[row.uri])[:count]


def _without(found: Explanation, order: Sequence[int], share: float) -> str:
    """Return the text without the first `share` of the words in `order`, at least one."""
    gone = set(order[: max(1, round(share * len(order)))])
    kept, end = [], 0
    for number, word in enumerate(found.words):
        kept.append(found.text[end : word.start])
        if number not in gone:
            kept.append(found.text[word.start : word.end])
        end = word.end
    return " ".join("".join([*kept, found.text[end:]]).split())


if __name__ == "__main__":
    sys.exit(main())
