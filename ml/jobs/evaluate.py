"""Judge a saved model version on the test split of a dataset; nothing is saved."""

from __future__ import annotations

from pathlib import Path

from ml.artifact import model_path
from ml.evaluation import gate
from ml.head import Head
from ml.jobs.material import Encoders, champion_of, judge, load_rows
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification


def run(specification: Specification, report: Report) -> Outcome:
    """Evaluate `model`, or the champion; raises ArtifactError or JobError."""
    home = Path(specification.home)
    champion = champion_of(specification)
    name = specification.model or specification.champion
    if name is None:
        raise JobError("which model? Name a version, e.g. topic@1+9f3c")
    head = Head.load(model_path(home, name))
    dataset = load_rows(specification, head.manifest)
    encoders = Encoders(specification, report)
    metrics = judge(head, encoders.embed(head.manifest.encoder, dataset), dataset)
    for figure in ("accuracy", "macro_f1", "ece", "accepted"):
        report.metric(figure, metrics[figure])
    served = None
    if champion and champion.name != name:
        serving = Head.load(model_path(home, champion.name))
        served = judge(serving, encoders.embed(champion.encoder, dataset), dataset)
        report.metric("champion_accuracy", served["accuracy"])
    deployable, reasons = gate(metrics, served, specification.margin)
    return Outcome(
        model=name,
        encoder=head.manifest.encoder,
        unchanged=True,
        deployable=deployable,
        reasons=reasons,
        metrics=metrics,
    )
