"""What the jobs share: a dataset embedded under an encoder, and how a model does on its test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.answers import chosen
from ml.artifact import (
    DatasetManifest,
    ModelManifest,
    encoder_path,
    find_dataset,
    load_manifest,
    model_path,
)
from ml.datasets import Row, load_dataset
from ml.embedder import Embedder
from ml.embedding_store import embed_dataset
from ml.evaluation import Answers
from ml.head import Head
from ml.hierarchy import close
from ml.jobs.report import Report
from ml.jobs.specification import JobError, Specification


@dataclass(frozen=True)
class Dataset:
    """A dataset version with its rows; `texts` are normalised."""

    manifest: DatasetManifest
    rows: list[Row]
    texts: list[str]

    @property
    def labels(self) -> list[str]:
        return [row.label for row in self.rows]

    @property
    def splits(self) -> list[str]:
        return [row.split for row in self.rows]

    @property
    def test_rows(self) -> list[Row]:
        return [row for row in self.rows if row.split == "test"]

    def part(self, split: str) -> np.ndarray:
        """Return which rows belong to `split`, bool `(N,)`."""
        return np.array([row.split == split for row in self.rows])


def champion_of(specification: Specification) -> ModelManifest | None:
    """Return the manifest of what serves, or None; raises ArtifactError where it is broken."""
    if specification.champion is None:
        return None
    path = model_path(Path(specification.home), specification.champion)
    return load_manifest(path, ModelManifest)


def load_rows(specification: Specification, champion: ModelManifest | None) -> Dataset:
    """Load the dataset asked for, or the newest version of the champion's.

    Raises ArtifactError where it is unknown or broken, JobError where it has no test articles.
    """
    name = specification.dataset or (champion and champion.dataset.split("+")[0])
    if not name:
        raise JobError("which dataset? Name one, or a champion whose dataset is used")
    home = Path(specification.home)
    manifest, rows = load_dataset(home, find_dataset(home, name).id)
    if not manifest.rows.get("test"):
        raise JobError(f"{manifest.id} has no test articles, so nothing can be evaluated")
    return Dataset(manifest, rows, [row.text for row in rows])


class Encoders:
    """The encoders of one job, each loaded once, and the vectors they gave."""

    def __init__(self, specification: Specification, report: Report) -> None:
        self._specification = specification
        self._report = report
        self._loaded: dict[str, Embedder] = {}

    def embedder(self, encoder_id: str) -> Embedder:
        """Return the encoder, loaded; raises ArtifactError."""
        if encoder_id not in self._loaded:
            asked = self._specification
            path = encoder_path(Path(asked.home), encoder_id)
            self._loaded[encoder_id] = Embedder(path, asked.runtime, asked.precision, asked.threads)
        return self._loaded[encoder_id]

    def embed(self, encoder_id: str, dataset: Dataset) -> np.ndarray:
        """Return the embeddings float16 `(N, D)` of all rows, from the store where it has them."""
        vectors, truncated = embed_dataset(
            Path(self._specification.home),
            dataset.manifest.id,
            self.embedder(encoder_id),
            dataset.texts,
            lambda done, total: self._report.progress("encode", done, total),
        )
        if truncated.any():
            share = float(truncated.mean())
            self._report.log(f"{share:.1%} of the articles are longer than {encoder_id} reads")
        return vectors


def answers_of(head: Head, embeddings: np.ndarray, dataset: Dataset) -> Answers:
    """Return what a saved head answers on the test split; embeddings `(N, D)` are of all rows.

    A head with a label tree is asked for the ancestors of an article's labels too.
    """
    scores = head.scores(embeddings[dataset.part("test")])
    manifest = head.manifest
    return Answers.of(
        [close(manifest.tree, row.labels) for row in dataset.test_rows],
        scores,
        manifest.labels,
        chosen(head, scores),
        several=manifest.kind == "multilabel",
    )
