"""Fit a head on a dataset's embeddings, judge it against what serves, and save it.

`train` and `refit` are one job: a refit leaves dataset and encoder to the champion.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ml.artifact import ModelManifest, find_encoder, model_path, save_model, write_tensors
from ml.evaluation import evaluate, gate, operating_point
from ml.head import HEAD_FILE, Head
from ml.jobs.material import Dataset, Encoders, champion_of, indices, judge, load_rows
from ml.jobs.report import Report
from ml.jobs.specification import Outcome, Specification
from ml.messages import timestamp
from ml.training import Fit, fit_head

DEFAULT_ENCODER = "minilm-l6"


def run(specification: Specification, report: Report) -> Outcome:
    """Train as specified. Raises ArtifactError, JobError or TrainingError."""
    started = time.monotonic()
    home = Path(specification.home)
    champion = champion_of(specification)
    dataset = load_rows(specification, champion)
    asked = specification.encoder or (champion.encoder if champion else DEFAULT_ENCODER)
    encoder = find_encoder(home, asked)
    report.log(f"{dataset.manifest.id}: {len(dataset.rows)} articles, encoder {encoder.id}")

    encoders = Encoders(specification, report)
    embeddings = encoders.embed(encoder.id, dataset)
    encoded = time.monotonic()
    fit = fit_head(
        embeddings,
        dataset.labels,
        dataset.splits,
        lambda done, total: report.progress("fit", done, total),
    )
    metrics = figures(fit, embeddings, dataset)
    metrics["encode_s"] = round(encoded - started, 3)
    metrics["fit_s"] = round(time.monotonic() - encoded, 3)
    for name in ("accuracy", "macro_f1", "ece", "accepted", "encode_s", "fit_s"):
        report.metric(name, metrics[name])

    served = None
    if champion:
        head = Head.load(model_path(home, champion.name))
        served = judge(head, encoders.embed(champion.encoder, dataset), dataset)
        report.metric("champion_accuracy", served["accuracy"])
    deployable, reasons = gate(metrics, served, specification.margin)
    model, new = store(specification, fit, metrics, encoder.id, encoder.languages, dataset)
    return Outcome(
        model=model.name,
        encoder=encoder.id,
        unchanged=not new,
        deployable=deployable,
        reasons=reasons,
        metrics=metrics,
    )


def figures(fit: Fit, embeddings: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    """Evaluate a fit on the test split, with its threshold; embeddings are of all rows."""
    test = dataset.part("test")
    truth = indices(np.array(dataset.labels)[test].tolist(), fit.labels)
    scores = fit.scores(embeddings[test])
    metrics = evaluate(truth, scores, fit.labels)
    metrics["threshold"] = operating_point(truth, scores)
    metrics["strength"] = fit.strength
    metrics["validation_accuracy"] = fit.validation_accuracy
    return metrics


def store(
    specification: Specification,
    fit: Fit,
    metrics: dict[str, Any],
    encoder_id: str,
    languages: list[str],
    dataset: Dataset,
) -> tuple[ModelManifest, bool]:
    """Save a fit as the next version of its classifier, or find the version that equals it."""
    manifest = ModelManifest(
        classifier=specification.classifier,
        encoder=encoder_id,
        labels=fit.labels,
        languages=[x for x in languages if x in dataset.manifest.languages],
        temperature=fit.temperature,
        threshold=metrics["threshold"],
        dataset=dataset.manifest.id,
        created_at=timestamp(datetime.now(UTC)),
        run=specification.run,
        parents=[specification.champion] if specification.champion else [],
        metrics=metrics,
    )
    tensors = {"weights": fit.weights, "bias": fit.bias}
    return save_model(Path(specification.home), manifest, {HEAD_FILE: write_tensors(tensors)})
