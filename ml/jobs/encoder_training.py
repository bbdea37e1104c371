"""What the jobs share that train an encoder: its material, one training that survives kills."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np

from ml.artifact import EncoderManifest, check_files, encoder_path, read_file, read_tensors
from ml.checkpoints import Checkpoints, Position
from ml.conversion import TOKENIZER, WEIGHTS, save_encoder
from ml.descent import Task, Watching, descend, prepare
from ml.devices import computing_in, gpus, several
from ml.encoder import Encoder, EncoderConfig, weights_of
from ml.jobs.material import Dataset
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Specification
from ml.optimisation import Recipe
from ml.tokenizer import Tokenizer


def wished(recipe: Recipe, specification: Specification) -> Recipe:
    """Return the recipe with what was asked for in place of its own."""
    asked = specification.training
    changes = {"seed": asked.seed, "epochs": asked.epochs, "rate": asked.rate}
    return msgspec.structs.replace(recipe, **{k: v for k, v in changes.items() if v is not None})


class Material:
    """An encoder artifact opened for training; raises ArtifactError, or JobError where it cannot be."""

    def __init__(self, home: Path, manifest: EncoderManifest, window: int | None = None) -> None:
        path = encoder_path(home, manifest.id)
        check_files(path, manifest)
        if WEIGHTS not in manifest.files:
            raise JobError(f"{manifest.id} has no float weights to train; take its parent")
        self.manifest = manifest
        self.config = msgspec.convert(manifest.config, EncoderConfig)
        self.weights = read_tensors(path / WEIGHTS)
        self.window = min(window or manifest.window, self.config.length)
        self.tokenizer_json = read_file(path / TOKENIZER)
        self._tokenizer = Tokenizer.load(path / TOKENIZER, self.window)

    def tokenize(self, texts: list[str]) -> list[np.ndarray]:
        """Return the token ids of every text, each int32 `(T,)`."""
        return [encoded.ids for encoded in self._tokenizer.encode(texts)]


def run_training(
    specification: Specification,
    report: Report,
    stage: str,
    recipe: Recipe,
    work: list[object],
    setup: Callable[[], tuple[Encoder, Task]],
    save: Callable[[Encoder, Position, float], EncoderManifest],
) -> EncoderManifest:
    """Train with checkpoints, let `save` make the artifact, then drop the checkpoints.

    `work` is all that decides the outcome beside `recipe`: it names the checkpoints, so that the
    same job started again goes on. `setup` builds encoder and task, in the precision and for the
    devices of this machine. `save` gets the end and the seconds that this process took.
    """
    home = Path(specification.home)
    limit = specification.training.minutes
    started = time.monotonic()
    watching = Watching(
        progress=lambda done, total: report.progress(stage, done, total),
        events=home / "runs" / specification.run / "events" if specification.run else None,
        deadline=started + 60 * limit if limit is not None else None,
        log=report.log,
    )
    prepare(recipe.seed)
    with ExitStack() as stack:
        # What is saved is float32 and of one device, so the model leaves these before.
        with computing_in(specification.precision) as policy, several(gpus()):
            named = [stage, specification.job, msgspec.to_builtins(recipe), [*work, policy]]
            checkpoints = stack.enter_context(Checkpoints(home, named))
            encoder, task = setup()
            end = descend(task, recipe, checkpoints, watching)
        for row in end.history:
            words = ", ".join(f"{k} {v:.4f}" for k, v in row.items() if k != "epoch")
            report.log(f"epoch {row['epoch']:.0f}: {words}")
        made = save(encoder, end, round(time.monotonic() - started, 1))
        checkpoints.remove()
    return made


def keep_encoder(
    home: Path,
    name: str,
    material: Material,
    encoder: Encoder,
    end: Position,
    recipe: Recipe,
    seconds: float,
    parents: list[str],
    dataset: Dataset,
) -> EncoderManifest:
    """Save a trained encoder with the tokenizer that it was trained on, and how it was made."""
    return save_encoder(
        home,
        name,
        encoder.config,
        weights_of(encoder),
        material.tokenizer_json,
        material.window,
        material.manifest.languages,
        parents,
        {
            "dataset": dataset.manifest.id,
            "recipe": msgspec.to_builtins(recipe),
            "history": end.history,
            "steps": end.step,
            "train_s": seconds,
        },
    )


def unlabelled(dataset: Dataset) -> list[str]:
    """Return every text that is not for testing, once each, in an order of their own."""
    return sorted(
        {text for text, split in zip(dataset.texts, dataset.splits, strict=True) if split != "test"}
        - {""}
    )
