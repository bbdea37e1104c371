"""A tiny training in a process of its own, to be killed: `python -m tests.ml.training_victim FOLDER`.

Prints every step done, and last the sha256 of all weights, how it ended and every epoch's figures.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from ml.checkpoints import Checkpoints
from ml.descent import Watching, descend, prepare
from ml.encoder import build, weights_of
from ml.finetuning import TrainedHead, classification
from ml.optimisation import Recipe
from ml.pruning import pruning
from tests.ml.tiny import CONFIG, articles

RECIPE = Recipe(epochs=4, rate=5e-3, rows=8, tokens=256, word_dropout=0.1, seed=3)


def main(folder: Path) -> None:
    """Train, going on from what is in `folder`."""
    prepare(RECIPE.seed)
    encoder, head = build(CONFIG), TrainedHead(CONFIG.width, 2)
    data = articles(96)
    train, validation = data.take(np.arange(80)), data.take(np.arange(80, 96))
    task = classification(encoder, head, train, validation, RECIPE, table=True)
    watching = Watching(
        progress=lambda done, total: print("step", done, total, flush=True),
        every_s=0.0,  # after every step
    )
    with Checkpoints(folder, "victim") as checkpoints:
        end = descend(pruning(task, encoder, 0.5), RECIPE, checkpoints, watching)
    weights = b"".join(tensor.tobytes() for tensor in weights_of(encoder).values())
    print("end", hashlib.sha256(weights).hexdigest(), end.step, end.history)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
