"""Which head a job fits: plain, of several labels, from descriptions, or private."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml import calibration, hierarchy, zero_shot
from ml.artifact import ModelManifest
from ml.jobs.material import Dataset, Encoders
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Specification
from ml.membership import membership_auc
from ml.multilabel import fit_labels
from ml.training import Fit, Progress, fit_head, select


def fit_as_asked(
    specification: Specification,
    champion: ModelManifest | None,
    dataset: Dataset,
    embeddings: np.ndarray,
    encoders: Encoders,
    encoder_id: str,
    report: Report,
) -> Fit:
    """Fit the head that is asked for on embeddings `(N, D)` of all rows.

    What a refit does not ask for is as its champion has it: tree, descriptions, isotonic
    calibration and abstention. Raises JobError or TrainingError.
    """
    kept = champion if specification.job == "refit" else None
    tree = tree_of(specification, dataset) or (kept.tree if kept else {})
    several = is_several(specification, kept, dataset, tree)
    descriptions = specification.zero_shot or (kept.descriptions if kept else {})
    refuse_contradictions(specification, several=several, descriptions=bool(descriptions))

    def progress(done: int, total: int) -> None:
        report.progress("fit", done, total)

    if several:
        return several_labels(specification, kept, tree, dataset, embeddings, progress)
    if specification.epsilon is not None:
        fit = private(specification, dataset, embeddings, report, progress)
    elif descriptions:
        fit = towards(descriptions, dataset, embeddings, encoders, encoder_id, report)
    else:
        fit = fit_head(embeddings, dataset.labels, dataset.splits, progress)
        always = specification.calibration == "isotonic" or bool(kept and kept.isotonic)
        if always or specification.calibration == "auto":
            chosen = select(embeddings, dataset.labels, dataset.splits)
            fit = with_isotonic(fit, chosen, embeddings, dataset, always=always)
    abstain = specification.abstain_below
    if abstain is None and kept:
        abstain = kept.abstain_below
    return (
        fit if abstain is None else replace(fit, special={**fit.special, "abstain_below": abstain})
    )


def is_several(
    specification: Specification, kept: ModelManifest | None, dataset: Dataset, tree: dict[str, str]
) -> bool:
    """Tell whether the head gives any number of labels: as asked, as before, or as the rows have."""
    if specification.kind != "auto":
        return specification.kind == "multilabel"
    if kept:
        return kept.kind == "multilabel"
    return bool(tree) or any(len(row.labels) != 1 for row in dataset.rows)


def tree_of(specification: Specification, dataset: Dataset) -> dict[str, str]:
    """Return the label tree that is asked for; raises TreeError where it is none."""
    if specification.tree == "paths":
        return hierarchy.from_paths(sorted({x for row in dataset.rows for x in row.labels}))
    tree = specification.tree or {}
    hierarchy.check(tree)
    return dict(tree)


def refuse_contradictions(
    specification: Specification, *, several: bool, descriptions: bool
) -> None:
    """Raise JobError where two things are asked for that do not go together."""
    if several and specification.epsilon is not None:
        raise JobError("epsilon: private heads give one label an article; this dataset has several")
    if several and descriptions:
        raise JobError("zero_shot: descriptions make heads of one label an article, not of several")
    if several and specification.abstain_below is not None:
        raise JobError("abstain_below: a head of several labels abstains by its thresholds already")
    if specification.tree and not several:
        raise JobError("tree: only a head of several labels has one; ask for kind multilabel")
    if descriptions and specification.epsilon is not None:
        raise JobError("epsilon and zero_shot cannot be had together")


def several_labels(
    specification: Specification,
    kept: ModelManifest | None,
    tree: dict[str, str],
    dataset: Dataset,
    embeddings: np.ndarray,
    progress: Progress,
) -> Fit:
    """Fit a head of several labels."""
    asked = specification.calibration
    found = fit_labels(
        embeddings,
        [row.labels for row in dataset.rows],
        dataset.splits,
        tree,
        isotonic=asked != "temperature" or bool(kept and kept.isotonic),
        progress=progress,
    )
    hidden = None
    if found.hidden is not None and found.hidden_bias is not None:
        hidden = found.hidden, found.hidden_bias
    return Fit(
        labels=found.labels,
        weights=found.weights,
        bias=found.bias,
        temperature=found.temperature,
        strength=0.0,
        validation_accuracy=0.0,
        hidden=hidden,
        special={
            "kind": "multilabel",
            "thresholds": found.thresholds,
            "tree": found.tree,
            "isotonic": found.isotonic,
        },
        notes={"validation_f1": found.validation_f1, "layers": 2 if hidden else 1},
    )


def towards(
    descriptions: dict[str, str],
    dataset: Dataset,
    embeddings: np.ndarray,
    encoders: Encoders,
    encoder_id: str,
    report: Report,
) -> Fit:
    """Fit near the labels' descriptions, and report how accuracy grows with labelled articles."""
    embedder = encoders.embedder(encoder_id)
    directions = zero_shot.describe(lambda texts: embedder.embed(texts)[0], descriptions)
    given = (directions, sorted(descriptions), embeddings, dataset.labels, dataset.splits)
    fit = zero_shot.fit_towards(*given)
    curve = zero_shot.learning_curve(*given)
    for point in curve:
        report.metric(f"accuracy_{point['labels']}_labels", point["accuracy"])
    return replace(
        fit, special={"descriptions": dict(descriptions)}, notes={"learning_curve": curve}
    )


def with_isotonic(
    fit: Fit, chosen: Fit, embeddings: np.ndarray, dataset: Dataset, *, always: bool
) -> Fit:
    """Add isotonic calibration, by the validation articles that `chosen` was not fitted on.

    Not `always`: only if the calibration error is smaller than the temperature's.
    """
    place = {label: n for n, label in enumerate(chosen.labels)}
    rows = dataset.part("validation") & np.array([label in place for label in dataset.labels])
    truth = np.array([place[x] for x, r in zip(dataset.labels, rows, strict=True) if r], int)
    logits = chosen.logits(embeddings[rows])
    if always:
        knots = calibration.isotonic_of(logits, truth, chosen.temperature)
    else:
        knots = calibration.choose_isotonic(logits, truth, chosen.temperature)
    notes = {**fit.notes, "calibration": "isotonic" if knots else "temperature"}
    return replace(fit, special={**fit.special, "isotonic": knots}, notes=notes)


def private(
    specification: Specification,
    dataset: Dataset,
    embeddings: np.ndarray,
    report: Report,
    progress: Progress,
) -> Fit:
    """Fit within the epsilon asked for, and attack the head and a plain one on the same articles."""
    from ml import privacy  # here: dp-accounting takes a second to import, for few trainings

    data = embeddings, dataset.labels, dataset.splits
    delta = privacy.DELTA if specification.delta is None else specification.delta
    fit = privacy.fit_private(*data, specification.epsilon or 0.0, delta, progress=progress)
    member = ~dataset.part("test")
    attacked = {
        name: round(membership_auc(each, embeddings, dataset.labels, member), 4)
        for name, each in (("membership_auc", fit), ("membership_auc_plain", fit_head(*data)))
    }
    fit.notes["privacy"].update(attacked)
    for name in ("epsilon", *attacked):
        report.metric(name, fit.notes["privacy"][name])
    return fit
