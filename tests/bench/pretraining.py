"""Measure what pretraining is worth with few labels: `python -m tests.bench.pretraining`.

The encoder `seed` is trained on 500 labelled articles of R8, from random weights and from pretrained
ones, with three seeds each; the accuracy is on R8's test articles. Another folder's pretrained `seed`
is taken with --home, else it is made first, without any label and without the test texts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from keras import ops

from infra.settings import Settings
from ml.artifact import ArtifactError, find_dataset, find_encoder, install
from ml.checkpoints import Checkpoints
from ml.datasets import load_dataset
from ml.descent import descend, prepare
from ml.encoder import PRESETS, build
from ml.finetuning import Labelled, TrainedHead, classification, reader
from ml.jobs.encoder_training import Material
from ml.optimisation import Recipe
from tests.bench.jobs import perform

LABELS = 500
SEEDS = (0, 1, 2)
WINDOW = 256


def recipe(seed: int, *, pretrained: bool) -> Recipe:
    """Return how each is trained: random weights longer and faster, which they need."""
    if pretrained:
        return Recipe(epochs=10, rate=1e-3, word_dropout=0.3, seed=seed)
    return Recipe(epochs=25, rate=2e-3, word_dropout=0.3, seed=seed)


def accuracy(
    material: Material, data: Labelled, splits: np.ndarray, seed: int, *, pretrained: bool
) -> float:
    """Train on `LABELS` of the training articles, to the end; return the test articles' accuracy.

    Nothing is chosen by a validation, for which so few labels have no room.
    """
    chosen = recipe(seed, pretrained=pretrained)
    prepare(seed)
    encoder = build(PRESETS["seed"], material.weights if pretrained else None)
    head = TrainedHead(PRESETS["seed"].width, int(data.truth.max()) + 1)
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(splits == "train"))[:LABELS]
    train, test = data.take(drawn), data.take(splits == "test")
    task = replace(classification(encoder, head, train, test, chosen, table=True), validate=None)
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder), seed) as checkpoints:
        descend(task, chosen, checkpoints)
    logits = ops.convert_to_numpy(head.logits(reader(encoder)(test.sequences)))
    return float(np.mean(logits.argmax(axis=1) == test.truth))


def measure(home: Path) -> dict[str, Sequence[float]]:
    """Return the accuracies of both, a number a seed."""
    _, rows = load_dataset(home, find_dataset(home, "r8").id)
    material = Material(home, find_encoder(home, "seed"), WINDOW)
    labels = sorted({row.label for row in rows})
    truth = np.array([labels.index(row.label) for row in rows])
    data = Labelled(material.tokenize([row.text for row in rows]), truth)
    splits = np.array([row.split for row in rows])
    found: dict[str, Sequence[float]] = {}
    for name, pretrained in (("random", False), ("pretrained", True)):
        found[name] = [
            accuracy(material, data, splits, seed, pretrained=pretrained) for seed in SEEDS
        ]
        print(name, *(f"{value:.4f}" for value in found[name]), flush=True)
    return found


def main() -> None:
    """Measure, and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pretraining", description=__doc__)
    parser.add_argument("--home", type=Path, help="a folder of artifacts; default: a new one")
    home: Path | None = parser.parse_args().home
    with tempfile.TemporaryDirectory() as folder:
        home = (home or Path(folder)).resolve()
        install(Settings().assets, home)
        try:
            find_encoder(home, "seed")
        except ArtifactError:
            perform(home, "pretrain", dataset="r52")
        found = measure(home)
    gains = np.array(found["pretrained"]) - np.array(found["random"])
    print(
        json.dumps(
            {"labels": LABELS, **found, "gains": gains.tolist(), "mean_gain": float(gains.mean())}
        )
    )


if __name__ == "__main__":
    main()
