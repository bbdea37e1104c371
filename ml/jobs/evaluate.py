"""Judge a saved model version on the test split of a dataset; no version is made."""

from __future__ import annotations

from pathlib import Path

from ml.artifact import model_path
from ml.evaluation import evaluate
from ml.head import Head
from ml.jobs.judging import Candidate, conclude
from ml.jobs.material import Encoders, answers_of, load_rows
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification


def run(specification: Specification, report: Report) -> Outcome:
    """Evaluate `model`, or the champion; raises ArtifactError or JobError.

    Another model than the champion is compared with it and goes through the gate.
    """
    home = Path(specification.home)
    name = specification.model or specification.champion
    if name is None:
        raise JobError("which model? Name a version, e.g. topic@1+9f3c")
    head = Head.load(model_path(home, name))
    dataset = load_rows(specification, head.manifest)
    encoders = Encoders(specification, report)
    embeddings = encoders.embed(head.manifest.encoder, dataset)
    answers = answers_of(head, embeddings, dataset)
    metrics = evaluate(answers)
    for figure in ("accuracy", "macro_f1", "ece", "accepted"):
        report.metric(figure, metrics[figure])
    candidate = Candidate(
        name, head.manifest.encoder, answers, embeddings, fitted_on=head.manifest.dataset
    )
    verdict = conclude(specification, report, encoders, dataset, candidate).verdict
    return Outcome(
        model=name,
        encoder=head.manifest.encoder,
        unchanged=True,
        deployable=verdict.deployable,
        reasons=verdict.reasons,
        metrics=metrics,
    )
