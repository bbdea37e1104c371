"""The gate: whether a candidate may take the champion's place, and why not.

A candidate is refused where it is worse by more than the margin: overall, on a label or on a
protected slice. Overall the figures decide. A label or a slice has few articles, where a point of
accuracy is one headline: there the articles that only one of the two got right must also say that
it is no accident (McNemar's one-sided mid-p, corrected after Holm, 1979, for how many are looked
at). So a candidate as good as the champion is refused by accident on a label in at most one of
twenty cases, and on a slice in at most one of twenty, while a label that it no longer gives is
found in ten articles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.evaluation import Answers, micro_f1, per_label
from ml.evaluation_pairs import Pairs, pairs
from ml.evaluation_report import Refusal
from ml.evaluation_slices import PROTECTED, large

LEAST_SUPPORT = 10
"""Test articles of a label that is judged alone: with fewer no loss can be told from chance."""

ALLOWANCE = 0.05
"""The chance that an equally good candidate is refused on some label, and on some slice."""

LEAST_AGREEMENT = 0.99
"""Of a quantized encoder's labels with the unquantized one's: below, it is another model."""

MOST_LOSS = 0.003
"""Of accuracy by quantization: more than that is not paid for by speed."""

LEAST_SPEEDUP = 1.05
"""Of a compressed encoder over its parent, timed interleaved: less is within the noise."""

LEAST_SAVING = 0.2
"""Of a pruned encoder's bytes once compressed: zeros save there, and no time."""


@dataclass(frozen=True)
class Part:
    """A label or a slice as it is judged: both figures, and the articles only one got right."""

    what: str
    name: str
    figure: str
    candidate: float
    champion: float
    pairs: Pairs


def gate(
    candidate: Answers,
    champion: Answers | None,
    slices: Mapping[str, np.ndarray],
    margin: float,
) -> list[Refusal]:
    """Return why a candidate may not be deployed, nothing where it may.

    Both are answers on the same articles; `slices` are those of `ml.evaluation_slices.groups`.
    Without a champion everything may be deployed.
    """
    if champion is None:
        return []
    found = _overall(candidate, champion, margin) + _forgotten(candidate, champion)
    for parts in (_labels(candidate, champion), _slices(candidate, champion, slices)):
        found += [_refusal(part, margin) for part in _beyond_chance(parts, margin)]
    return found


def gate_twin(accuracy: float, original: float, agreement: float) -> list[Refusal]:
    """Return why a quantized encoder's head may not be deployed, nothing where it may.

    `agreement` is with the head on the original encoder's embeddings, whose accuracy is `original`.
    """
    found = []
    if agreement < LEAST_AGREEMENT:
        found.append(
            Refusal(
                what="agreement",
                name="agreement",
                candidate=agreement,
                champion=1.0,
                margin=1 - LEAST_AGREEMENT,
                text=f"it agrees with the unquantized encoder on {agreement:.4f} of the "
                f"articles, below {LEAST_AGREEMENT}",
            )
        )
    loss = original - accuracy
    if loss > MOST_LOSS:
        found.append(
            Refusal(
                what="overall",
                name="accuracy of the unquantized encoder",
                candidate=accuracy,
                champion=original,
                margin=MOST_LOSS,
                text=f"accuracy {accuracy:.4f} is {loss:.4f} below the unquantized encoder's; "
                f"{MOST_LOSS} is allowed",
            )
        )
    return found


def gate_speed(ratio: float) -> list[Refusal]:
    """Return why a compressed encoder gains nothing here; `ratio` is its speed by its parent's."""
    if ratio >= LEAST_SPEEDUP:
        return []
    text = (
        f"it is {ratio:.3f} times as fast as the encoder it was made from, "
        f"on this processor; {LEAST_SPEEDUP} is the least that pays for another version"
    )
    return [
        Refusal(
            what="speed",
            name="speed",
            candidate=ratio,
            champion=1.0,
            margin=LEAST_SPEEDUP - 1,
            text=text,
        )
    ]


def gate_size(saved: float) -> list[Refusal]:
    """Return why a pruned encoder gains nothing; `saved` is its share of the compressed bytes."""
    if saved >= LEAST_SAVING:
        return []
    return [
        Refusal(
            what="size",
            name="size",
            candidate=saved,
            champion=0.0,
            margin=LEAST_SAVING,
            text=f"it saves {saved:.0%} of the compressed bytes, below {LEAST_SAVING:.0%}",
        )
    ]


def _overall(candidate: Answers, champion: Answers, margin: float) -> list[Refusal]:
    """Compare accuracy; of heads of several labels micro-F1, as one wrong of five is not all wrong."""
    if candidate.several or champion.several:
        name, got, best = "micro-F1", micro_f1(candidate), micro_f1(champion)
    else:
        name, got, best = "accuracy", float(candidate.right.mean()), float(champion.right.mean())
    if got >= best - margin:
        return []
    text = (
        f"{name} {got:.4f} is below {best - margin:.4f} "
        f"(the champion's {best:.4f} less the margin {margin})"
    )
    return [
        Refusal(what="overall", name=name, candidate=got, champion=best, margin=margin, text=text)
    ]


def _forgotten(candidate: Answers, champion: Answers) -> list[Refusal]:
    """Refuse each label that the champion gets right and that the candidate cannot give.

    Whatever its support: a label that left the label set has nobody to answer it.
    """
    knows = candidate.labels[: candidate.known]
    return [
        Refusal(
            what="label",
            name=label,
            candidate=0.0,
            champion=row["recall"],
            margin=0.0,
            text=f"it does not know {label}, which the champion answers "
            f"with recall {row['recall']:.4f}",
        )
        for label, row in per_label(champion).items()
        if row["recall"] > 0 and label not in knows
    ]


def _labels(candidate: Answers, champion: Answers) -> list[Part]:
    """Compare recall on a label's articles, and precision by who wrongly gave it elsewhere."""
    mine, its = per_label(candidate), per_label(champion)
    found = []
    for n, label in enumerate(candidate.labels[: candidate.known]):
        if mine[label]["support"] < LEAST_SUPPORT:
            continue
        has = candidate.truth[:, n]
        new, old = candidate.correct(label), champion.correct(label)  # a label of both: it occurs
        for figure, here in (("recall", has), ("precision", ~has)):
            both = pairs(new[here], old[here])
            values = float(mine[label][figure]), float(its[label][figure])
            found.append(Part("label", label, figure, *values, both))
    return found


def _slices(candidate: Answers, champion: Answers, slices: Mapping[str, np.ndarray]) -> list[Part]:
    found = []
    for dimension in PROTECTED:
        values = slices.get(dimension)
        for value in large(values) if values is not None else []:
            here = values == value
            mine, its = candidate.right[here], champion.right[here]
            found.append(
                Part(
                    "slice",
                    f"{dimension} {value}",
                    "accuracy",
                    float(mine.mean()),
                    float(its.mean()),
                    pairs(mine, its),
                )
            )
    return found


def _beyond_chance(parts: Sequence[Part], margin: float) -> list[Part]:
    """Return the parts that are worse by more than the margin and not by accident.

    Holm's step-down: the least p is compared with the allowance by the number of parts, the next
    with the allowance by one less, until one is not below.
    """
    ordered = sorted(parts, key=lambda part: part.pairs.worse_p)
    found = []
    for n, part in enumerate(ordered):
        if part.pairs.worse_p > ALLOWANCE / (len(ordered) - n):
            break
        if part.candidate < part.champion - margin:
            found.append(part)
    return found


def _refusal(part: Part, margin: float) -> Refusal:
    text = (
        f"{part.figure} {part.candidate:.4f} on {part.what} {part.name} is below "
        f"{part.champion - margin:.4f} (the champion's {part.champion:.4f} less the margin "
        f"{margin}); {part.pairs.lost} articles were lost and {part.pairs.won} won"
    )
    return Refusal(
        what=part.what,
        name=part.name,
        candidate=part.candidate,
        champion=part.champion,
        margin=margin,
        text=text,
    )
