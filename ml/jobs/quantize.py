"""Make the int8 twin of the champion's encoder, and a candidate of the classifier on it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ml.artifact import find_encoder, model_path
from ml.compression import CALIBRATION_TEXTS, compare_speed, quantize
from ml.evaluation import gate, gate_twin
from ml.head import Head
from ml.jobs.material import Dataset, Encoders, champion_of, judge, load_rows
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification
from ml.jobs.train import figures, store
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

    metrics = figures(fit, twins, dataset)
    test = dataset.part("test")
    same = original.scores(parents[test]).argmax(axis=1) == fit.scores(twins[test]).argmax(axis=1)
    metrics["agreement"] = float(np.mean(same))
    metrics["head"] = "kept" if kept else "refitted"
    metrics["quantize_s"] = quantized_s
    metrics |= {name: twin.metrics[name] for name in ("bytes", "parent_bytes")}
    report.progress("time", 0, 1)
    sample = [text for text, chosen in zip(dataset.texts, test, strict=True) if chosen]
    metrics |= compare_speed(
        encoders.embedder(parent.id), encoders.embedder(twin.id), sample[:SPEED_TEXTS]
    )
    for name in ("accuracy", "macro_f1", "ece", "agreement", "articles_per_s"):
        report.metric(name, metrics[name])
    report.metric("speedup", metrics["speedup"]["median"])

    head = Head.load(model_path(home, champion.name))
    served = judge(head, encoders.embed(champion.encoder, dataset), dataset)
    report.metric("champion_accuracy", served["accuracy"])
    _, reasons = gate(metrics, served, specification.margin)
    reasons += gate_twin(metrics, figures(original, parents, dataset))
    model, new = store(specification, fit, metrics, twin.id, twin.languages, dataset)
    return Outcome(
        model=model.name,
        encoder=twin.id,
        unchanged=not new,
        deployable=not reasons,
        reasons=reasons,
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
