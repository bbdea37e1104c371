"""Make the int8 twin of the champion's encoder, and a candidate of the classifier on it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ml.artifact import find_encoder
from ml.compression import CALIBRATION_TEXTS, compare_speed, quantize
from ml.gate import gate_speed, gate_twin
from ml.jobs.judging import Candidate, conclude
from ml.jobs.material import Dataset, Encoders, champion_of, load_rows
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification
from ml.jobs.train import answers_of_fit, figures, store
from ml.training import agreement, fit_head, select

SPEED_TEXTS = 256  # two seconds of work a round


def run(specification: Specification, report: Report) -> Outcome:
    """Quantize as specified. Raises ArtifactError, JobError or TrainingError.

    The candidate's head is fitted again on int8 embeddings, or the champion's is kept: whichever
    is better on the validation split.
    """
    home = Path(specification.home)
    champion = champion_of(specification)
    if champion is None:
        raise JobError("quantize needs a champion to compare with; train and deploy one first")
    dataset = load_rows(specification, champion)
    parent = find_encoder(home, specification.encoder or champion.encoder)
    if parent.precision == "int8":
        parent = find_encoder(home, parent.parents[0])

    texts = calibration_texts(dataset)
    report.log(f"{parent.id}: int8 with {len(texts)} articles of {dataset.manifest.id}")
    report.progress("quantize", 0, 1)
    started = time.monotonic()
    twin = quantize(home, parent, texts, f"{len(texts)} of {dataset.manifest.id}")
    quantized_s = round(time.monotonic() - started, 3)
    report.progress("quantize", 1, 1)

    encoders = Encoders(specification, report)
    parents, twins = encoders.embed(parent.id, dataset), encoders.embed(twin.id, dataset)
    report.progress("fit", 0, 3)
    original = fit_head(parents, dataset.labels, dataset.splits)
    report.progress("fit", 1, 3)
    kept = keeps_head(parents, twins, dataset)
    report.progress("fit", 2, 3)
    fit = original if kept else fit_head(twins, dataset.labels, dataset.splits)
    report.progress("fit", 3, 3)

    answers = answers_of_fit(fit, twins, dataset)
    before = answers_of_fit(original, parents, dataset)
    metrics = figures(fit, answers)
    metrics["agreement"] = float(np.mean((answers.chosen == before.chosen).all(axis=1)))
    metrics["head"] = "kept" if kept else "refitted"
    metrics["quantize_s"] = quantized_s
    metrics |= {name: twin.metrics[name] for name in ("bytes", "parent_bytes")}
    report.progress("time", 0, 1)
    sample = [row.text for row in dataset.test_rows]
    metrics |= compare_speed(
        encoders.embedder(parent.id), encoders.embedder(twin.id), sample[:SPEED_TEXTS]
    )
    for name in ("accuracy", "macro_f1", "ece", "agreement", "articles_per_s"):
        report.metric(name, metrics[name])
    report.metric("speedup", metrics["speedup"]["median"])

    against = gate_twin(metrics["accuracy"], float(before.right.mean()), metrics["agreement"])
    against += gate_speed(metrics["speedup"]["median"])
    model, new = store(specification, fit, metrics, twin.id, twin.languages, dataset)
    candidate = Candidate(
        model.name, twin.id, answers, twins, against, metrics["speedup"]["median"]
    )
    verdict = conclude(specification, report, encoders, dataset, candidate).verdict
    return Outcome(
        model=model.name,
        encoder=twin.id,
        unchanged=not new,
        deployable=verdict.deployable,
        reasons=verdict.reasons,
        metrics=metrics,
    )


def calibration_texts(dataset: Dataset) -> list[str]:
    """Return the training texts that show NNCF the activations' ranges: always the same ones."""
    train = [
        text
        for text, chosen in zip(dataset.texts, dataset.part("train"), strict=True)
        if chosen and text
    ]
    step = max(1, len(train) // CALIBRATION_TEXTS)  # spread over the whole file
    return train[::step][:CALIBRATION_TEXTS]


def keeps_head(parents: np.ndarray, twins: np.ndarray, dataset: Dataset) -> bool:
    """Tell whether a head fitted on the parent's embeddings does as well on the twin's.

    Both `(N, D)`. Heads of the training split alone are compared on the validation split.
    """
    validation = dataset.part("validation")
    old = select(parents, dataset.labels, dataset.splits)
    new = select(twins, dataset.labels, dataset.splits)
    labels = np.array(dataset.labels)[validation]
    return agreement(old, twins[validation], labels) >= new.validation_accuracy
