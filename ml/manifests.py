"""What an artifact says of itself: the manifests of encoders, models and datasets.

A manifest's digest names its content. It covers what changes an answer and leaves out when and by
whom the artifact was made, so that equal inputs give an equal digest.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

HeadKind = Literal["multinomial", "multilabel"]


class File(msgspec.Struct, frozen=True):
    """One file of an artifact, as it was when it was saved."""

    sha256: str
    size: int


class EncoderManifest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="encoder"
):
    """An encoder: tokenizer and weights that turn a text into a unit vector of `width`.

    `config` holds the fields of `ml.encoder.EncoderConfig`. `window` is the number of tokens read
    of a text, special tokens included; the rest of a longer text is cut off. `precision` says how
    the weights are stored. `parents` are the encoder ids it was made from.
    """

    name: str
    digest: str = ""
    config: dict[str, int | float]
    window: int
    languages: list[str]
    precision: str
    created_at: str
    parents: list[str] = []
    metrics: dict[str, Any] = {}
    files: dict[str, File] = {}

    @property
    def id(self) -> str:
        return f"{self.name}+{self.digest[:4]}"

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return int(self.config["width"])

    @property
    def folder(self) -> str:
        return f"encoders/{self.id}"

    def content(self) -> Any:
        hashes = {name: file.sha256 for name, file in self.files.items()}
        return [self.name, self.config, self.window, self.languages, self.precision, hashes]


class ModelManifest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="model"
):
    """A model version: the head of one classifier on one encoder, calibrated, with its limits.

    `temperature` divides the head's logits. `threshold` is the least confidence that is accepted
    without review; None accepts nothing. `metrics` are of the test split of `dataset`.

    `kind` tells a head that gives one label an article from one that gives any number of them;
    the latter has in `thresholds`, in the order of `labels`, the least probability at which each is
    given, and may have in `tree` a parent for some labels. A multinomial head gives no label at
    all below `abstain_below`. `isotonic` are the knots `[[p, ...], [calibrated p, ...]]` of a
    calibration after the temperature; none where there is the temperature alone. `descriptions`
    are of the labels, for a head that was begun from them.
    """

    classifier: str
    number: int = 0
    digest: str = ""
    encoder: str
    labels: list[str]
    languages: list[str]
    temperature: float
    threshold: float | None
    dataset: str
    created_at: str
    run: str | None = None
    parents: list[str] = []
    metrics: dict[str, Any] = {}
    files: dict[str, File] = {}
    kind: HeadKind = "multinomial"
    thresholds: list[float] = []
    tree: dict[str, str] = {}
    abstain_below: float | None = None
    isotonic: list[list[float]] = []
    descriptions: dict[str, str] = {}

    @property
    def name(self) -> str:
        return f"{self.classifier}@{self.number}+{self.digest[:4]}"

    @property
    def folder(self) -> str:
        return f"models/{self.classifier}/{self.number}+{self.digest[:4]}"

    def content(self) -> Any:
        hashes = {name: file.sha256 for name, file in self.files.items()}
        content: list[Any] = [
            self.classifier,
            self.encoder,
            self.labels,
            self.languages,
            self.temperature,
            self.threshold,
            self.dataset,
            hashes,
        ]
        # Only what a plain head has not: those saved before these fields keep their digests.
        special = {
            name: value
            for name, value, plain in (
                ("kind", self.kind, "multinomial"),
                ("thresholds", self.thresholds, []),
                ("tree", self.tree, {}),
                ("abstain_below", self.abstain_below, None),
                ("isotonic", self.isotonic, []),
                ("descriptions", self.descriptions, {}),
            )
            if value != plain
        }
        return [*content, special] if special else content


class DatasetManifest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="dataset"
):
    """A dataset version: labelled articles with their splits.

    `rows` counts articles by split, `labels` by label and split. `rows_sha256` is of the rows
    before compression, because compressors differ between machines. `format` is how the rows are
    written (see `ml.datasets`); in a `multilabel` version some article has no label or several.
    """

    name: str
    digest: str = ""
    rows: dict[str, int]
    labels: dict[str, dict[str, int]]
    rows_sha256: str
    languages: list[str]
    source: str
    created_at: str
    files: dict[str, File] = {}
    format: int = 1
    multilabel: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}+{self.digest[:8]}"

    @property
    def folder(self) -> str:
        return f"datasets/{self.id}"

    def content(self) -> Any:
        return [self.name, self.languages, self.rows_sha256]


Manifest = EncoderManifest | ModelManifest | DatasetManifest


def digest(manifest: Manifest) -> str:
    """Return the 64 hexadecimal digits that name the manifest's content."""
    content = msgspec.json.encode([type(manifest).__name__, manifest.content()], order="sorted")
    return hashlib.sha256(content).hexdigest()
