"""Fit a head on a dataset's embeddings, judge it against what serves, and save it.

`train` and `refit` are one job: a refit leaves dataset and encoder to the champion.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ml.artifact import ModelManifest, find_encoder, save_model, write_tensors
from ml.evaluation import Answers, evaluate
from ml.head import HEAD_FILE
from ml.jobs.judging import Candidate, conclude
from ml.jobs.material import Dataset, Encoders, champion_of, load_rows
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
    answers = answers_of_fit(fit, embeddings, dataset)
    metrics = figures(fit, answers)
    metrics["encode_s"] = round(encoded - started, 3)
    metrics["fit_s"] = round(time.monotonic() - encoded, 3)
    for name in ("accuracy", "macro_f1", "ece", "accepted", "encode_s", "fit_s"):
        report.metric(name, metrics[name])

    model, new = store(specification, fit, metrics, encoder.id, encoder.languages, dataset)
    candidate = Candidate(model.name, encoder.id, answers, embeddings)
    verdict = conclude(specification, report, encoders, dataset, candidate).verdict
    return Outcome(
        model=model.name,
        encoder=encoder.id,
        unchanged=not new,
        deployable=verdict.deployable,
        reasons=verdict.reasons,
        metrics=metrics,
    )


def answers_of_fit(fit: Fit, embeddings: np.ndarray, dataset: Dataset) -> Answers:
    """Return what a fit answers on the test split; embeddings `(N, D)` are of all rows."""
    scores = fit.scores(embeddings[dataset.part("test")])
    return Answers.single([row.label for row in dataset.test_rows], scores, fit.labels)


def figures(fit: Fit, answers: Answers) -> dict[str, Any]:
    """Return the figures of a fit's answers, and how it was fitted."""
    return evaluate(answers) | {
        "strength": fit.strength,
        "validation_accuracy": fit.validation_accuracy,
    }


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
