"""Fit a head on a dataset's embeddings, judge it against what serves, and save it.

`train` and `refit` are one job: a refit leaves dataset and encoder to the champion.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ml import zero_shot
from ml.artifact import ModelManifest, find_encoder, save_model, write_tensors
from ml.evaluation import Answers, evaluate
from ml.head import HEAD_FILE, Head
from ml.jobs.fitting import fit_as_asked
from ml.jobs.judging import Candidate, conclude
from ml.jobs.material import Dataset, Encoders, answers_of, champion_of, load_rows
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification
from ml.messages import timestamp
from ml.training import Fit

DEFAULT_ENCODER = "minilm-l6"


def run(specification: Specification, report: Report) -> Outcome:
    """Train as specified. Raises ArtifactError, JobError or TrainingError."""
    started = time.monotonic()
    home = Path(specification.home)
    champion = champion_of(specification)
    if specification.zero_shot and not specification.dataset and not champion:
        return from_descriptions(specification, report)
    dataset = load_rows(specification, champion)
    asked = specification.encoder or (champion.encoder if champion else DEFAULT_ENCODER)
    encoder = find_encoder(home, asked)
    report.log(f"{dataset.manifest.id}: {len(dataset.rows)} articles, encoder {encoder.id}")

    encoders = Encoders(specification, report)
    embeddings = encoders.embed(encoder.id, dataset)
    encoded = time.monotonic()
    fit = fit_as_asked(specification, champion, dataset, embeddings, encoders, encoder.id, report)
    answers = answers_of_fit(fit, embeddings, dataset)
    metrics = figures(fit, answers)
    metrics["encode_s"] = round(encoded - started, 3)
    metrics["fit_s"] = round(time.monotonic() - encoded, 3)
    for name in ("accuracy", "macro_f1", "micro_f1", "ece", "accepted", "encode_s", "fit_s"):
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


def from_descriptions(specification: Specification, report: Report) -> Outcome:
    """Make a classifier before there is a labelled article; nothing is known of how good it is."""
    encoder = find_encoder(Path(specification.home), specification.encoder or DEFAULT_ENCODER)
    if specification.abstain_below is not None or specification.epsilon is not None:
        raise JobError("without a dataset a head is made of descriptions alone")
    descriptions = specification.zero_shot or {}
    embedder = Encoders(specification, report).embedder(encoder.id)
    directions = zero_shot.describe(lambda texts: embedder.embed(texts)[0], descriptions)
    fit = zero_shot.fit_zero_shot(list(descriptions), directions)
    fit = replace(fit, special={"descriptions": dict(descriptions)})
    model, new = store(specification, fit, {}, encoder.id, encoder.languages, None)
    report.log("nothing is accepted without review until labelled articles say how good it is")
    return Outcome(model=model.name, encoder=encoder.id, unchanged=not new, deployable=True)


def answers_of_fit(fit: Fit, embeddings: np.ndarray, dataset: Dataset) -> Answers:
    """Return what a fit answers on the test split; embeddings `(N, D)` are of all rows."""
    if fit.special:
        head = Head(_draft(fit), fit.weights, fit.bias, fit.hidden)
        return answers_of(head, embeddings, dataset)
    scores = fit.scores(embeddings[dataset.part("test")])
    return Answers.single([row.label for row in dataset.test_rows], scores, fit.labels)


def figures(fit: Fit, answers: Answers) -> dict[str, Any]:
    """Return the figures of a fit's answers, and how it was fitted."""
    metrics = evaluate(answers) | fit.notes
    if "kind" not in fit.special:
        metrics |= {"strength": fit.strength, "validation_accuracy": fit.validation_accuracy}
    return metrics


def store(
    specification: Specification,
    fit: Fit,
    metrics: dict[str, Any],
    encoder_id: str,
    languages: list[str],
    dataset: Dataset | None,
) -> tuple[ModelManifest, bool]:
    """Save a fit as the next version of its classifier, or find the version that equals it.

    Without a dataset, as a head from descriptions alone is, it answers all that its encoder reads.
    """
    manifest = msgspec.structs.replace(
        _draft(fit),
        classifier=specification.classifier,
        encoder=encoder_id,
        languages=[x for x in languages if dataset is None or x in dataset.manifest.languages],
        threshold=metrics.get("threshold"),
        dataset=dataset.manifest.id if dataset else "",
        created_at=timestamp(datetime.now(UTC)),
        run=specification.run,
        parents=[specification.champion] if specification.champion else [],
        metrics=metrics,
    )
    files: dict[str, bytes | Path] = {HEAD_FILE: write_tensors(fit.tensors())}
    return save_model(Path(specification.home), manifest, files)


def _draft(fit: Fit) -> ModelManifest:
    """Return the manifest of a fit before anything is known but its answers."""
    plain = ModelManifest(
        classifier="draft",
        encoder="",
        labels=fit.labels,
        languages=[],
        temperature=fit.temperature,
        threshold=None,
        dataset="",
        created_at="",
    )
    return msgspec.structs.replace(plain, **fit.special)
