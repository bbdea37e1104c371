"""The parts of a report that are worked out of answers alone.

`Measured` holds answers with their figures and resamples, worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ml import evaluation_intervals as intervals
from ml.evaluation import Answers, confusion, counts, evaluate
from ml.evaluation_calibration import reliability
from ml.evaluation_pairs import Pairs, pairs
from ml.evaluation_report import Bin, Comparison, Confusion, Figure, LabelRow, OperatingPoint

FIGURES = ("accuracy", "macro_f1", "micro_f1", "ece")
CONFUSION_LABELS = 60  # the most frequent: more cannot be read


@dataclass(frozen=True)
class Measured:
    """Answers, the figures of `ml.evaluation.evaluate`, and their resamples."""

    answers: Answers
    metrics: dict[str, Any]
    resamples: intervals.Resamples

    @classmethod
    def of(cls, answers: Answers) -> Measured:
        return cls(answers, evaluate(answers), intervals.resampled(answers))

    @property
    def reliability(self) -> list[Bin]:
        """Return the bins of the reliability plot."""
        return reliability(self.answers.claims, self.answers.held)

    def figure(self, name: str, champion: float | None = None) -> Figure:
        """Return one figure with its interval."""
        low, high = intervals.interval(self.resamples[name])
        return Figure(value=self.metrics[name], low=low, high=high, champion=champion)


def figures(mine: Measured, its: Measured | None) -> dict[str, Figure]:
    """Return the figures of all articles, and the champion's."""
    others = its.metrics if its else {}
    return {name: mine.figure(name, others.get(name)) for name in FIGURES}


def compare(mine: Measured, its: Measured, champion: str) -> Comparison:
    """Compare with the champion of that name on the same articles, by the same resamples."""
    both = pairs(mine.answers.right, its.answers.right)

    def difference(figure: str) -> Figure:
        low, high = intervals.interval(mine.resamples[figure] - its.resamples[figure])
        return Figure(value=mine.metrics[figure] - its.metrics[figure], low=low, high=high)

    return Comparison(
        champion=champion,
        lost=both.lost,
        won=both.won,
        exact_p=both.exact_p,
        mid_p=both.mid_p,
        accuracy=difference("accuracy"),
        macro_f1=difference("macro_f1"),
    )


def label_rows(mine: Measured, its: Measured | None) -> list[LabelRow]:
    """Return a row for every label, the most frequent first."""
    spread = intervals.f1_intervals(mine.answers, mine.resamples)
    others = its.metrics["labels"] if its else {}
    rows = []
    for label, row in mine.metrics["labels"].items():
        low, high = spread.get(label, (None, None))
        change = Pairs(0, 0)
        if its and label in others:
            change = pairs(mine.answers.correct(label), its.answers.correct(label))
        rows.append(
            LabelRow(
                label=label,
                low=low,
                high=high,
                champion_f1=others[label]["f1"] if label in others else None,
                lost=change.lost,
                won=change.won,
                **row,
            )
        )
    return sorted(rows, key=lambda row: -row.support)


def confusion_table(answers: Answers) -> Confusion:
    """Return the confusion matrix of the most frequent labels."""
    often = counts(answers)[1] + counts(answers)[2]
    shown = np.argsort(-often, kind="stable")[:CONFUSION_LABELS]
    shown = shown[often[shown] > 0]
    return Confusion(
        labels=[answers.labels[n] for n in shown],
        counts=confusion(answers)[np.ix_(shown, shown)].tolist(),
        left_out=int((often > 0).sum()) - len(shown),
    )


def points(mine: Measured) -> list[OperatingPoint]:
    """Return the operating points of every goal."""
    found = mine.metrics["operating_points"]
    return [OperatingPoint(goal=float(goal), **row) for goal, row in found.items()]
