"""Deleting what nothing needs any more: old runs, model versions, encoders, datasets, vectors.

Kept, however old: every version that was ever deployed, the newest ones of each classifier, what
those were made from (encoder, dataset, parents and their parents), the newest encoder and dataset of
each name, and all that is younger than a day, because a job may be about to use it. Without Kafka
nothing is deleted: it alone knows what was deployed.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone

from console.runs.models import Run
from infra.settings import Settings
from ml import artifact
from ml.manifests import DatasetManifest, EncoderManifest, ModelManifest
from stream import deployments

YOUNG = timedelta(days=1)
KEPT_VERSIONS = 20  # newest of each classifier
log = logging.getLogger(__name__)


@dataclass
class Swept:
    """What was deleted, by its name, and how many bytes of artifacts."""

    runs: int = 0
    models: list[str] = field(default_factory=list)
    encoders: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    bytes: int = 0


def sweep(settings: Settings, deployed: set[str], say: Callable[[str], None] = log.info) -> Swept:
    """Delete what nothing needs; `deployed` are the versions that were ever deployed.

    Where none was, the control topic is new or lost: then no artifact is deleted.
    """
    home = settings.home.resolve()
    keep = needed(home, deployed | _asked_for()) if deployed else Needed([], _all_runs(home))
    swept = Swept()
    for manifest in keep.useless:
        folder = home / manifest.folder
        name = manifest.name if isinstance(manifest, ModelManifest) else manifest.id
        swept.bytes += sum(file.size for file in manifest.files.values())
        _remove(folder)
        say(f"deleted {manifest.folder}")
        kind = {ModelManifest: swept.models, EncoderManifest: swept.encoders}
        kind.get(type(manifest), swept.datasets).append(name)
    for stored in (home / "embeddings").glob("*/*.safetensors"):
        if stored.stem in swept.datasets:
            stored.unlink(missing_ok=True)
    swept.runs = _runs(settings, home, keep.runs)
    return swept


def ever_deployed(settings: Settings) -> set[str]:
    """Return every model version that the control topic names: a rollback may want it."""
    control = deployments.read(settings)
    return {record.deployment.champion for record in control.records if record.deployment.champion}


@dataclass
class Needed:
    """Which artifacts can go, and the runs that made those that stay."""

    useless: list[ModelManifest | EncoderManifest | DatasetManifest]
    runs: set[str]


def needed(home: Path, named: set[str]) -> Needed:
    """Tell apart what is needed and what is not; `named` are versions and ids to keep."""
    models = artifact.list_models(home)
    encoders = {m.id: m for m in artifact.list_encoders(home)}
    datasets = {m.id: m for m in artifact.list_datasets(home)}
    by_name = {m.name: m for m in models}
    newest: dict[str, list[ModelManifest]] = {}
    for model in models:
        newest.setdefault(model.classifier, []).append(model)
    recent = {m.name for several in newest.values() for m in several[-KEPT_VERSIONS:]}
    kept = _with_parents(
        {m.name for m in models if m.name in named | recent or _young(m.created_at)},
        lambda name: by_name[name].parents if name in by_name else [],
    )
    kept_models = [m for m in models if m.name in kept]
    kept_encoders = _with_parents(
        {m.encoder for m in kept_models}
        | (named & encoders.keys())
        | {id_ for id_, m in encoders.items() if _young(m.created_at)}
        | _newest_of_each_name(encoders.values()),
        lambda id_: encoders[id_].parents if id_ in encoders else [],
    )
    kept_datasets = (
        {m.dataset for m in kept_models}
        | (named & datasets.keys())
        | {id_ for id_, m in datasets.items() if _young(m.created_at)}
        | _newest_of_each_name(datasets.values())
    )
    return Needed(
        [
            *(m for m in models if m.name not in kept),
            *(m for id_, m in encoders.items() if id_ not in kept_encoders),
            *(m for id_, m in datasets.items() if id_ not in kept_datasets),
        ],
        {m.run for m in kept_models if m.run},
    )


def _asked_for() -> set[str]:
    """Return every name that a run which has not ended was given: it may be about to read it."""
    waiting = Run.objects.exclude(state__in=Run.ENDED).values_list("spec", flat=True)
    return {value for spec in waiting for value in spec.values() if isinstance(value, str)}


def _all_runs(home: Path) -> set[str]:
    return {m.run for m in artifact.list_models(home) if m.run}


def _with_parents(names: set[str], parents: Callable[[str], Iterable[str]]) -> set[str]:
    """Return names with all that they were made from."""
    kept, waiting = set(names), list(names)
    while waiting:
        fresh = set(parents(waiting.pop())) - kept
        kept |= fresh
        waiting += fresh
    return kept


def _newest_of_each_name(
    manifests: Iterable[EncoderManifest | DatasetManifest],
) -> set[str]:
    return set({m.name: m.id for m in sorted(manifests, key=lambda m: m.created_at)}.values())


def _young(created_at: str) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(created_at) < YOUNG
    except ValueError:  # no moment that we know: leave it alone
        return True


def _remove(folder: Path) -> None:
    """Delete an artifact: gone for readers at once, by one rename."""
    grave = folder.with_name(f".draft-{time.time_ns()}")  # what is left of it the next save removes
    folder.rename(grave)
    shutil.rmtree(grave, ignore_errors=True)


def _runs(settings: Settings, home: Path, needed_runs: set[str]) -> int:
    """Delete runs that ended long ago, with their folders, unless a kept version names them."""
    before = timezone.now() - timedelta(seconds=settings.keep_runs_s)
    old = Run.objects.filter(state__in=Run.ENDED, ended_at__lt=before)
    gone = [run for run in old.values_list("pk", flat=True) if str(run) not in needed_runs]
    for run in gone:
        if re.fullmatch(r"[0-9a-f-]{36}", str(run)):
            shutil.rmtree(home / "runs" / str(run), ignore_errors=True)
    Run.objects.filter(pk__in=gone).delete()
    return len(gone)
