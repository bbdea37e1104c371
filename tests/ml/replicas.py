"""The tiny training on one logical device and on two: `python -m tests.ml.replicas FOLDER`.

Prints the losses of every epoch on each, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from ml.checkpoints import Checkpoints
from ml.descent import descend, prepare
from ml.devices import several
from ml.encoder import build
from ml.finetuning import TrainedHead, classification
from ml.optimisation import Recipe
from tests.ml.tiny import CONFIG, articles

RECIPE = Recipe(epochs=3, rate=1e-2, rows=8, tokens=1_024)


def train(folder: Path, devices: list[str]) -> list[float]:
    """Train on the devices; return every epoch's loss."""
    with several(devices):
        prepare(RECIPE.seed)
        encoder, head = build(CONFIG), TrainedHead(CONFIG.width, 2)
        data = articles(96)
        train, validation = data.take(np.arange(80)), data.take(np.arange(80, 96))
        task = classification(encoder, head, train, validation, RECIPE, table=True)
        with Checkpoints(folder, devices) as checkpoints:
            end = descend(task, RECIPE, checkpoints)
    return [row["loss"] for row in end.history]


def main(folder: Path) -> None:
    """Compare one device with two."""
    halves = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
    print(json.dumps([train(folder, ["CPU:0"]), train(folder, ["CPU:0", "CPU:1"])]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
