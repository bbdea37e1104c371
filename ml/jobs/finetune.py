"""Train an encoder on a dataset's labels to a new encoder version, then a head on it.

The head that is saved is fitted anew on the trained encoder's embeddings, and judged as any other.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from ml.artifact import EncoderManifest, find_encoder, list_encoders
from ml.checkpoints import Position
from ml.descent import Task
from ml.encoder import Encoder, build
from ml.finetuning import Labelled, TrainedHead, classification
from ml.jobs import train
from ml.jobs.encoder_training import Material, keep_encoder, run_training, wished
from ml.jobs.material import Dataset, Encoders, champion_of, load_rows
from ml.jobs.pretrain import new_seed
from ml.jobs.report import Report
from ml.jobs.specification import Outcome, Specification
from ml.optimisation import Recipe
from ml.training import select

SMALL = Recipe(epochs=12, rate=2e-3, word_dropout=0.1)
"""For `seed`: all of its weights move, the token table too. From random ones R8 comes to 97.1 %."""

LARGE = Recipe(epochs=5, rate=1e-4, rows=16, tokens=2_048, word_dropout=0.1, patience=3)
"""For an encoder that others trained: gentle, and its token table stays. MiniLM comes to 97.8 % on R8
in seven minutes on 2 cores with bfloat16, loading and judging included in eight."""

LARGE_WINDOW = 128
"""Tokens read by a large encoder. A quarter of R8's articles are longer, and what is cut off is not
missed: fine-tuned on the first 128 tokens it is better than frozen on 256 (97.8 and 96.5 %)."""


def run(specification: Specification, report: Report) -> Outcome:
    """Fine-tune as specified. Raises ArtifactError, JobError or TrainingError."""
    home = Path(specification.home)
    champion = champion_of(specification)
    dataset = load_rows(specification, champion)
    asked = specification.encoder or (champion.encoder if champion else train.DEFAULT_ENCODER)
    if asked == "seed" and not any(e.name == "seed" for e in list_encoders(home)):
        new_seed(home, dataset, report)
    parent = find_encoder(home, asked)
    recipe = wished(SMALL if trains_table(parent) else LARGE, specification)
    made = tune(specification, report, recipe, parent, dataset)
    after = msgspec.structs.replace(specification, job="train", encoder=made.id)
    outcome = train.run(after, report)
    return msgspec.structs.replace(
        outcome,
        metrics=outcome.metrics | {k: made.metrics[k] for k in ("train_s", "steps", "history")},
    )


def trains_table(encoder: EncoderManifest) -> bool:
    """Tell whether an encoder is small enough that its token table is trained too."""
    return encoder.name.startswith("seed")


def tuned_name(parent: EncoderManifest, what: str) -> str:
    """Return the name of an encoder made of `parent`, e.g. minilm-l6-r8."""
    return parent.name if parent.name.endswith(f"-{what}") else f"{parent.name}-{what}"


def tune(
    specification: Specification,
    report: Report,
    recipe: Recipe,
    parent: EncoderManifest,
    dataset: Dataset,
) -> EncoderManifest:
    """Train all of `parent` on the labels of `dataset`; returns the new encoder's manifest."""
    home = Path(specification.home)
    table = trains_table(parent)
    window = specification.training.window or (None if table else min(parent.window, LARGE_WINDOW))
    material = Material(home, parent, window)
    labels = sorted({row.label for row in dataset.rows if row.split != "test"})
    data = Labelled(material.tokenize(dataset.texts), label_indices(dataset, labels))
    start = None if table else start_of(specification, report, parent, dataset, labels)

    def setup() -> tuple[Encoder, Task]:
        encoder = build(material.config, material.weights)
        head = TrainedHead(material.config.width, len(labels), start)
        train_part, validation = dataset.part("train"), dataset.part("validation")
        return encoder, classification(
            encoder, head, data.take(train_part), data.take(validation), recipe, table=table
        )

    def save(encoder: Encoder, end: Position, seconds: float) -> EncoderManifest:
        name = tuned_name(parent, dataset.manifest.name)
        return keep_encoder(
            home, name, material, encoder, end, recipe, seconds, [parent.id], dataset
        )

    work: list[object] = [parent.id, dataset.manifest.id, material.window]
    return run_training(specification, report, "finetune", recipe, work, setup, save)


def label_indices(dataset: Dataset, labels: list[str]) -> np.ndarray:
    """Return the place of every article's label in `labels`, int `(N,)`; -1 on unknown test ones."""
    place = {label: n for n, label in enumerate(labels)}
    return np.array([place.get(label, -1) for label in dataset.labels])


def start_of(
    specification: Specification,
    report: Report,
    parent: EncoderManifest,
    dataset: Dataset,
    labels: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights `(D, L)` and bias `(L,)` of a head on the embeddings as they are."""
    embeddings = Encoders(specification, report).embed(parent.id, dataset)
    fit = select(embeddings, dataset.labels, dataset.splits)
    weights = np.zeros((embeddings.shape[1], len(labels)), np.float32)
    bias = np.full(len(labels), fit.bias.min(), np.float32)
    places = [labels.index(label) for label in fit.labels]
    weights[:, places], bias[places] = fit.weights, fit.bias
    return weights, bias
