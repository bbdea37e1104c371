"""What is known of a dataset version beside its rows: the report that is saved with it.

These are the structs alone, so that the console reads a report without numpy; `ml.dataset_survey`
fills them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ml import sealing
from ml.artifact import ArtifactError, dataset_path

REPORT_FILE = "report.json"


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """How evenly the training articles spread over the labels.

    `evenness` is the entropy of the label shares over that of equal shares: 1 where all labels are
    equally frequent. `rare` are the labels with fewer than `rare_below` training articles.
    """

    labels: int
    largest: str
    largest_share: float
    smallest: str
    smallest_articles: int
    evenness: float
    rare: list[str]
    rare_below: int
    labels_an_article: float
    without_label: int


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Characters of the normalised texts of a split."""

    shortest: int
    median: int
    p95: int
    longest: int


class Example(msgspec.Struct, frozen=True):
    """Two articles that are nearly the same text, and how alike (0 to 1)."""

    first: str
    second: str
    similarity: float


class NearGroups(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of nearly equal texts: how many, the articles in them, the largest, pairs of labels."""

    groups: int
    articles: int
    largest: int
    examples: list[Example]


class Leakage(msgspec.Struct, frozen=True, kw_only=True):
    """Test articles of whose group another stands in the training split."""

    articles: int
    share: float
    examples: list[Example]


class LabelDrift(msgspec.Struct, frozen=True):
    """A label's share of all labels given, before and now."""

    label: str
    before: float
    now: float


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How the label shares moved since the version `since`.

    `psi` is the population stability index, 0 where nothing moved; over 0.25 is usually called a
    shift. `divergence` is Jensen-Shannon's in bits, 0 to 1. `moved` are the labels that moved most.
    """

    since: str
    articles_before: int
    articles_now: int
    psi: float
    divergence: float
    appeared: list[str]
    gone: list[str]
    moved: list[LabelDrift]


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Times of publication: how many articles have one, the earliest and the latest."""

    dated: int
    earliest: str
    latest: str


class DatasetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a dataset version, and what was done on its way in.

    `splits` tells whether the file gave them. `duplicates` were left out: equal text, labels and
    split. `contradictions` are texts that stand under several sets of labels; they are kept.
    """

    articles: int
    splits: str
    duplicates: int
    contradictions: int
    contradicting: list[str]
    balance: Balance
    lengths: dict[str, Lengths]
    languages: dict[str, int]
    sources: dict[str, int]
    near: NearGroups
    leakage: Leakage
    drift: Drift | None = None
    times: Times | None = None
    notes: list[str] = []


def read_report(home: Path, dataset_id: str) -> DatasetReport | None:
    """Return the report saved with a version, None where it has none; raises ArtifactError."""
    file = dataset_path(home, dataset_id) / REPORT_FILE
    try:
        return msgspec.json.decode(sealing.read(file), type=DatasetReport)
    except FileNotFoundError:
        return None
    except (OSError, sealing.SealError, msgspec.MsgspecError) as error:
        raise ArtifactError(f"{file}: not a report ({error})") from error
