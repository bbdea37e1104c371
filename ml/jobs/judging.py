"""Judge a candidate on the test split: the report of its run, and whether it may be deployed.

Every job that makes a candidate ends with `conclude`. The test split is fixed by the dataset
version, so the articles whose answer changed are those of a frozen set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from ml import evaluation_report
from ml.artifact import ModelManifest, model_path
from ml.evaluation import Answers, accepted
from ml.evaluation_pairs import flips
from ml.evaluation_report import Evaluation, Refusal, TimeOrdered, Verdict
from ml.evaluation_slices import LEAST_ARTICLES, Traits, dimensions, groups, missing
from ml.evaluation_tables import Measured, compare, confusion_table, figures, label_rows, points
from ml.evaluation_time import time_ordered
from ml.gate import ALLOWANCE, LEAST_SUPPORT, gate
from ml.head import Head
from ml.jobs.material import Dataset, Encoders, answers_of, champion_of
from ml.jobs.report import Report
from ml.jobs.specification import Specification
from ml.messages import timestamp

TITLE_LONGEST = 200  # characters, of a title or of the beginning of a text without one


@dataclass(frozen=True)
class Candidate:
    """A version to be judged.

    `embeddings` `(N, D)` are of all rows of the dataset and give the time-ordered split; None, or
    a head that gives several labels, leaves it out. `against` are reasons that the job itself
    found; `speedup` is a compressed encoder's speed by its parent's; `fitted_on` the dataset version
    of one that exists already (None: the one it is judged on).
    """

    model: str
    encoder: str
    answers: Answers
    embeddings: np.ndarray | None = None
    against: Sequence[Refusal] = ()
    speedup: float | None = None
    fitted_on: str | None = None


def conclude(
    specification: Specification,
    report: Report,
    encoders: Encoders,
    dataset: Dataset,
    candidate: Candidate,
) -> Evaluation:
    """Evaluate a candidate beside the champion and write the run's report; raises ArtifactError."""
    home = Path(specification.home)
    champion = champion_of(specification)
    served: Answers | None = None
    if champion and champion.name != candidate.model:
        head = Head.load(model_path(home, champion.name))
        served = answers_of(head, encoders.embed(champion.encoder, dataset), dataset)
    if champion:
        report.metric("champion_accuracy", float((served or candidate.answers).right.mean()))
    report.progress("judge", 0, 1)
    traits = traits_of(dataset)
    refusals = gate(candidate.answers, served, groups(traits), specification.margin)
    refusals += candidate.against
    later = over_time(candidate, dataset)
    found = _evaluation(specification, candidate, served, refusals, dataset, traits, later)
    if specification.run:
        evaluation_report.write(home, specification.run, found)
    report.progress("judge", 1, 1)
    for refusal in refusals:
        report.log(f"refused: {refusal.text}")
    return found


def amend(
    specification: Specification, against: Sequence[Refusal], speedup: float | None = None
) -> None:
    """Add to the run's report what a job found after `conclude`; raises ReportError, OSError."""
    if not specification.run:
        return
    home = Path(specification.home)
    found = evaluation_report.read(home, specification.run)
    refusals = [*found.verdict.refusals, *against]
    verdict = replace(found.verdict, deployable=not refusals, refusals=refusals)
    found = replace(found, verdict=verdict, speedup=speedup)
    evaluation_report.write(home, specification.run, found)


def traits_of(dataset: Dataset) -> Traits:
    """Return what is known of the test articles."""
    rows = dataset.test_rows
    return Traits(
        texts=[row.text for row in rows],
        languages=[row.language for row in rows],
        sources=[row.source for row in rows],
        published=[row.published_at for row in rows],
    )


def over_time(candidate: Candidate, dataset: Dataset) -> TimeOrdered | None:
    """Fit and test by time; None where that cannot be done."""
    one_label = all(len(row.labels) == 1 for row in dataset.rows)
    if candidate.embeddings is None or candidate.answers.several or not one_label:
        return None
    published = [row.published_at for row in dataset.rows]
    return time_ordered(candidate.embeddings, dataset.labels, published)


def _evaluation(
    specification: Specification,
    candidate: Candidate,
    served: Answers | None,
    refusals: list[Refusal],
    dataset: Dataset,
    traits: Traits,
    later: TimeOrdered | None,
) -> Evaluation:
    mine = Measured.of(candidate.answers)
    its = Measured.of(served) if served else None
    champion = specification.champion if served else None
    taken = accepted(candidate.answers, mine.metrics["threshold"])
    rows = dataset.test_rows
    changed, total = (
        flips(
            candidate.answers,
            served,
            [r.uri for r in rows],
            [_title(r.title, r.body) for r in rows],
        )
        if served
        else ([], 0)
    )
    return Evaluation(
        model=candidate.model,
        encoder=candidate.encoder,
        classifier=specification.classifier,
        dataset=dataset.manifest.id,
        champion=champion,
        run=specification.run,
        at=timestamp(datetime.now(UTC)),
        articles=len(candidate.answers),
        figures=figures(mine, its),
        labels=label_rows(mine, its),
        confusion=confusion_table(candidate.answers),
        reliability=mine.reliability,
        operating_points=points(mine),
        comparison=compare(mine, its, champion) if its and champion else None,
        dimensions=dimensions(
            traits, candidate.answers.right, taken, served.right if served else None
        ),
        time_ordered=later,
        flips=changed,
        flips_total=total,
        verdict=Verdict(
            deployable=not refusals,
            margin=specification.margin,
            allowance=ALLOWANCE,
            least_support=LEAST_SUPPORT,
            least_articles=LEAST_ARTICLES,
            refusals=refusals,
        ),
        notes=_notes(candidate, champion_of(specification), dataset, traits, later),
        speedup=candidate.speedup,
    )


def _notes(
    candidate: Candidate,
    champion: ModelManifest | None,
    dataset: Dataset,
    traits: Traits,
    later: TimeOrdered | None,
) -> list[str]:
    """Say what the report could not look at, and what to keep in mind."""
    notes = [
        f"No article of the test split has a {name}: there are no slices by {name}."
        for name in missing(traits)
    ]
    if later is None:
        notes.append("Too few articles are dated for a split by time.")
    fitted_on = {"This version": candidate.fitted_on}
    if champion and champion.name != candidate.model:
        fitted_on["The champion"] = champion.dataset
    for who, version in fitted_on.items():
        if version and version != dataset.manifest.id:
            notes.append(
                f"{who} was fitted on {version}: it may have been trained on articles "
                "of this test split, and then looks better than it is."
            )
    return notes


def _title(title: str, body: str) -> str:
    """Return an article's title, or its first words where it has none."""
    return (title or body)[:TITLE_LONGEST]
