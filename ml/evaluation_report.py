"""The evaluation of one model version as it is kept: `report.json`, read by the console and the CLI.

It is a file of its run, `runs/<run id>/report.json`, and no file of the model version. A version's
folder is named by the hashes of its files, and a report compares with what happened to serve that
day: the same head evaluated twice would be two versions. And a version may be evaluated as often
as somebody likes, by runs that come after it.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import msgspec

REPORT_FILE = "report.json"
MAX_BYTES = 16 * 1024 * 1024  # 200 flips with titles and 60 labels squared are 0.2 MB
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of all articles, its 95 % interval, and the champion's on the same ones."""

    value: float
    low: float
    high: float
    champion: float | None = None


class Bin(msgspec.Struct, frozen=True):
    """The claims of one range of probabilities: their mean, and the share that came true."""

    low: float
    high: float
    claims: int
    confidence: float
    came_true: float


class LabelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One label; `low` and `high` are of the F1, None where the label does not occur.

    `lost` and `won` are the articles on which only one of champion and candidate was right about
    this label.
    """

    label: str
    precision: float
    recall: float
    f1: float
    low: float | None
    high: float | None
    support: int
    answered: int
    champion_f1: float | None = None
    lost: int = 0
    won: int = 0


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How often the label of the row was answered with that of the column, most frequent first.

    `left_out` labels are too rare for the table.
    """

    labels: list[str]
    counts: list[list[int]]
    left_out: int


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """From which confidence on answers reach a precision (`goal`); None where none does."""

    goal: float
    threshold: float | None
    accepted: float
    precision: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The candidate beside the champion on the same articles; differences are candidate - champion."""

    champion: str
    lost: int
    won: int
    exact_p: float
    mid_p: float
    accuracy: Figure
    macro_f1: Figure


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One group: how many articles, the share right with its interval, the share accepted."""

    value: str
    articles: int
    accuracy: float
    low: float
    high: float
    accepted: float
    champion: float | None = None


class Gap(msgspec.Struct, frozen=True):
    """The best group less the worst, and the worst as a share of the best (None: 0/0)."""

    difference: float
    ratio: float | None


class Dimension(msgspec.Struct, frozen=True, kw_only=True):
    """The slices of one field, the gaps between them, and how many groups were too small."""

    name: str
    protected: bool
    slices: list[Slice]
    gaps: dict[str, Gap]
    too_small: int


class TimeOrdered(msgspec.Struct, frozen=True, kw_only=True):
    """A head fitted on the older articles alone and tested on the newest: what tomorrow is like."""

    train: int
    test: int
    since: str
    accuracy: Figure
    macro_f1: Figure


class Flip(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """An article to which the candidate gives another answer than the champion."""

    uri: str
    title: str
    before: str
    after: str
    truth: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason against a candidate: what was measured, both figures, and the margin."""

    what: str
    name: str
    candidate: float
    champion: float
    margin: float
    text: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says; `allowance` is the chance of refusing an equal by accident.

    Labels of less than `least_support` test articles and slices of less than `least_articles` were
    not judged by themselves.
    """

    deployable: bool
    margin: float
    allowance: float
    least_support: int
    least_articles: int
    refusals: list[Refusal]

    @property
    def reasons(self) -> list[str]:
        """Return the refusals as a person reads them."""
        return [refusal.text for refusal in self.refusals]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one evaluation found; `flips` are at most 200 of `flips_total`."""

    model: str
    encoder: str
    classifier: str
    dataset: str
    champion: str | None
    run: str | None
    at: str
    articles: int
    figures: dict[str, Figure]
    labels: list[LabelRow]
    confusion: Confusion
    reliability: list[Bin]
    operating_points: list[OperatingPoint]
    comparison: Comparison | None
    dimensions: list[Dimension]
    time_ordered: TimeOrdered | None
    flips: list[Flip]
    flips_total: int
    verdict: Verdict
    notes: list[str]
    speedup: float | None = None


class ReportError(Exception):
    """A report that is missing or broken; the message says which."""


def report_path(home: Path, run: str) -> Path:
    """Return where the report of a run lies; raises ReportError on what is no run's id."""
    if not _RUN.fullmatch(run):
        raise ReportError(f"{run!r} is no run's id")
    return home / "runs" / run / REPORT_FILE


def write(home: Path, run: str, evaluation: Evaluation) -> Path:
    """Write a run's report whole or not at all, and return its place; raises ReportError, OSError."""
    file = report_path(home, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".report-", delete=False) as draft:
        draft.write(msgspec.json.format(msgspec.json.encode(evaluation)) + b"\n")
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).chmod(0o644)
    Path(draft.name).replace(file)
    return file


def read(home: Path, run: str) -> Evaluation:
    """Read a run's report; raises ReportError."""
    file = report_path(home, run)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ReportError(f"{file}: over {MAX_BYTES} bytes")
        return msgspec.json.decode(file.read_bytes(), type=Evaluation)
    except FileNotFoundError:
        raise ReportError(f"run {run} has no report on this machine") from None
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise ReportError(f"{file}: not a report ({error})") from error
