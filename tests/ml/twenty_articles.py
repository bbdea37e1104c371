"""A home for jobs that take seconds: the encoder, and twenty articles under the name `tiny`."""

from __future__ import annotations

from pathlib import Path

from ml import artifact
from ml.datasets import Row, Split, save_dataset

SPLITS: tuple[Split, ...] = ("train", "train", "train", "validation", "test")
STORIES = {
    "earn": "The bank says quarterly net profit rose to {} million dollars",
    "grain": "Farmers harvested {} thousand tonnes of wheat and maize",
}


def stock(assets: Path, home: Path) -> Path:
    """Fill `home` with the assets and with ten articles of each label; return it."""
    artifact.install(assets, home)
    rows = [
        Row(f"{label}-{n}", "", story.format(n + 3), (label,), SPLITS[n % 5])
        for label, story in STORIES.items()
        for n in range(10)
    ]
    save_dataset(home, "tiny", rows, "made up", ["en"])
    return home
