"""The dataset versions, from their manifests."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ml import artifact
from ml.artifact import DatasetManifest

SPLITS = ("train", "validation", "test")


def datasets(request: HttpRequest) -> HttpResponse:
    """List them, newest first."""
    home = settings.WIREROOM.home
    rows = [
        (dataset, [dataset.rows.get(split, 0) for split in SPLITS], sum(dataset.rows.values()))
        for dataset in artifact.list_datasets(home)[::-1]
    ]
    return render(request, "datasets/datasets.html", {"datasets": rows, "splits": SPLITS})


def dataset(request: HttpRequest, name: str) -> HttpResponse:
    """Show one with its labels."""
    home = settings.WIREROOM.home
    try:
        found = artifact.load_manifest(artifact.dataset_path(home, name), DatasetManifest)
    except artifact.ArtifactError as error:
        raise Http404(str(error)) from error
    counts = [
        (label, [splits.get(split, 0) for split in SPLITS], sum(splits.values()))
        for label, splits in found.labels.items()
    ]
    largest = max((total for _, _, total in counts), default=1) or 1
    context = {
        "dataset": found,
        "splits": SPLITS,
        "rows": [found.rows.get(split, 0) for split in SPLITS],
        "total": sum(found.rows.values()),
        "labels": sorted(
            ((label, row, total, total / largest) for label, row, total in counts),
            key=lambda entry: -entry[2],
        ),
        "models": [m for m in artifact.list_models(home)[::-1] if m.dataset == found.id],
    }
    return render(request, "datasets/dataset.html", context)
