"""The choices of the filters: the classifiers that run and the labels they know."""

from __future__ import annotations

from django.conf import settings

from console.history import reading
from ml import artifact


def classifiers_and_labels() -> tuple[list[str], list[str]]:
    """Return the classifiers that ever ran, and the labels of those that run now."""
    running = reading.champions()
    labels: set[str] = set()
    for record in running.values():
        if record.champion is None:
            continue
        try:
            path = artifact.model_path(settings.WIREROOM.home, record.champion)
            labels.update(artifact.load_manifest(path, artifact.ModelManifest).labels)
        except artifact.ArtifactError:
            continue  # the page of the models says what is wrong with it
    return list(running), sorted(labels)
