"""Make a smaller or faster encoder out of the champion's, and a candidate of the classifier on it.

`prune` and `aware` train the encoder on the labels once more, with zeros or with rounding; `aware`
then makes the int8 twin. `distill` teaches `seed` to place texts as the encoder does, `shallow` an
encoder of every other block. The candidate's head is fitted and judged as any other; besides, the
candidate must be faster here, or smaller where it was pruned.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ml.artifact import EncoderManifest, encoder_path, find_encoder, list_encoders, read_file
from ml.checkpoints import Position
from ml.compression import compare_speed, quantize
from ml.descent import Task
from ml.distillation import distillation, every_other
from ml.encoder import Encoder, build
from ml.evaluation_report import Refusal
from ml.finetuning import Labelled, TrainedHead, classification
from ml.gate import gate_size, gate_speed
from ml.jobs import train
from ml.jobs.encoder_training import Material, keep_encoder, run_training, unlabelled, wished
from ml.jobs.finetune import LARGE, SMALL, label_indices, start_of, trains_table, tuned_name
from ml.jobs.judging import amend
from ml.jobs.material import Dataset, Encoders, champion_of, load_rows
from ml.jobs.pretrain import new_seed
from ml.jobs.quantize import SPEED_TEXTS, calibration_texts
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification
from ml.optimisation import Recipe
from ml.pruning import kernels, pruning, zeros
from ml.quantization_aware import simulate

DISTILL = Recipe(epochs=12, rate=2e-3, word_dropout=0.1)
SHALLOW = Recipe(epochs=4, rate=2e-4, rows=16, tokens=2_048)


def run(specification: Specification, report: Report) -> Outcome:
    """Compress as specified. Raises ArtifactError, JobError or TrainingError."""
    home = Path(specification.home)
    champion = champion_of(specification)
    asked = specification.encoder or (champion and champion.encoder)
    if not asked:
        raise JobError("compress which encoder? Name one, or deploy a version first")
    parent = find_encoder(home, asked)
    dataset = load_rows(specification, champion)
    method = specification.training.method
    if method in ("prune", "aware"):
        made = _retrained(specification, report, parent, dataset)
    else:
        made = _taught(specification, report, parent, dataset)
    if method == "aware":
        texts = calibration_texts(dataset)
        report.log(f"{made.id}: int8 with {len(texts)} articles of {dataset.manifest.id}")
        made = quantize(home, made, texts, f"{len(texts)} of {dataset.manifest.id}")
    after = msgspec.structs.replace(specification, job="train", encoder=made.id)
    outcome = train.run(after, report)
    gain = _gain(specification, report, parent, made, dataset)
    against = _gainless(method, gain)
    amend(after, against, gain["speedup"]["median"])
    reasons = [*outcome.reasons, *(refusal.text for refusal in against)]
    return msgspec.structs.replace(
        outcome,
        deployable=outcome.deployable and not reasons,
        reasons=reasons,
        metrics=outcome.metrics | gain,
    )


def _retrained(
    specification: Specification, report: Report, parent: EncoderManifest, dataset: Dataset
) -> EncoderManifest:
    """Train `parent` on labels once more, pruned or under rounding."""
    home, method = Path(specification.home), specification.training.method
    table, share = trains_table(parent), specification.training.pruned
    # A fifth of the rate: the weights are good, they only make up for what is taken.
    base = SMALL if table else LARGE
    recipe = wished(
        msgspec.structs.replace(base, epochs=4, rate=base.rate / 5, patience=4), specification
    )
    material = Material(home, parent, specification.training.window)
    labels = sorted({row.label for row in dataset.rows if row.split != "test"})
    data = Labelled(material.tokenize(dataset.texts), label_indices(dataset, labels))
    start = start_of(specification, report, parent, dataset, labels)

    def setup() -> tuple[Encoder, Task]:
        encoder = build(material.config, material.weights)
        if method == "aware":
            simulate(encoder)
        head = TrainedHead(material.config.width, len(labels), start)
        train_part, validation = dataset.part("train"), dataset.part("validation")
        task = classification(
            encoder, head, data.take(train_part), data.take(validation), recipe, table=table
        )
        return encoder, pruning(task, encoder, share) if method == "prune" else task

    what = f"pruned{share * 100:.0f}" if method == "prune" else method
    return _train(specification, report, parent, material, recipe, dataset, what, [], setup)


def _taught(
    specification: Specification, report: Report, parent: EncoderManifest, dataset: Dataset
) -> EncoderManifest:
    """Teach a small encoder to embed the dataset's texts, without their labels, as `parent` does."""
    home, method = Path(specification.home), specification.training.method
    texts = unlabelled(dataset)
    where = {text: n for n, text in enumerate(dataset.texts)}
    rows = [where[text] for text in texts]
    taught = Encoders(specification, report).embed(parent.id, dataset)[rows]
    splits = np.array(dataset.splits)[rows]
    pupil = parent if method == "shallow" else _pupil(home, dataset, report)
    material = Material(home, pupil, specification.training.window)
    recipe = wished(SHALLOW if method == "shallow" else DISTILL, specification)
    config, weights = material.config, material.weights
    if method == "shallow":
        config, weights = every_other(config, weights)

    def setup() -> tuple[Encoder, Task]:
        encoder = build(config, weights)
        return encoder, distillation(
            encoder,
            material.tokenize(texts),
            taught,
            np.flatnonzero(splits == "train"),
            np.flatnonzero(splits == "validation"),
            recipe,
            table=trains_table(pupil),
        )

    what = "shallow" if method == "shallow" else "distilled"
    return _train(specification, report, parent, material, recipe, dataset, what, [pupil.id], setup)


def _pupil(home: Path, dataset: Dataset, report: Report) -> EncoderManifest:
    """Return the newest `seed`, or a new one."""
    if any(encoder.name == "seed" for encoder in list_encoders(home)):
        return find_encoder(home, "seed")
    return new_seed(home, dataset, report)


def _train(
    specification: Specification,
    report: Report,
    parent: EncoderManifest,
    material: Material,
    recipe: Recipe,
    dataset: Dataset,
    what: str,
    more: list[object],
    setup: Callable[[], tuple[Encoder, Task]],
) -> EncoderManifest:
    home = Path(specification.home)

    def save(encoder: Encoder, end: Position, seconds: float) -> EncoderManifest:
        name = tuned_name(material.manifest, what)
        parents = list(dict.fromkeys((parent.id, material.manifest.id)))
        if what.startswith("pruned"):
            report.metric("zeros", zeros(kernels(encoder)))
        return keep_encoder(home, name, material, encoder, end, recipe, seconds, parents, dataset)

    work: list[object] = [what, parent.id, dataset.manifest.id, material.window, *more]
    return run_training(specification, report, what, recipe, work, setup, save)


def _gain(
    specification: Specification,
    report: Report,
    parent: EncoderManifest,
    made: EncoderManifest,
    dataset: Dataset,
) -> dict[str, Any]:
    """Return sizes and speeds of both encoders."""
    home = Path(specification.home)
    encoders = Encoders(specification, report)
    report.progress("time", 0, 1)
    sample = [row.text for row in dataset.rows if row.split == "test"][:SPEED_TEXTS]
    gain = compare_speed(encoders.embedder(parent.id), encoders.embedder(made.id), sample)
    report.progress("time", 1, 1)
    for name, manifest in (("bytes", made), ("parent_bytes", parent)):
        gain[name] = manifest.files["encoder.bin"].size
        gain[f"packed_{name}"] = packed_bytes(encoder_path(home, manifest.id) / "encoder.bin")
    report.metric("speedup", gain["speedup"]["median"])
    return gain


def packed_bytes(file: Path) -> int:
    """Return the size of a file once it is compressed: what zeros save on the way and at rest."""
    return len(gzip.compress(read_file(file), compresslevel=1, mtime=0))


def _gainless(method: str, gain: dict[str, Any]) -> list[Refusal]:
    """Return why the candidate gains nothing, or nothing where it does."""
    if method == "prune":
        return gate_size(1 - gain["packed_bytes"] / gain["packed_parent_bytes"])
    return gate_speed(gain["speedup"]["median"])
