"""The int8 twin of the encoder, made by the product's own job in a home of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ml.artifact import install, list_models
from tests.bench.jobs import perform


def quantize(assets: Path, home: Path, classifier: str) -> dict[str, Any]:
    """Fill `home` with the assets and quantize the newest model's encoder there.

    Returns the job's outcome: encoder, metrics, whether the gate lets it through and why not.
    Raises ArtifactError where the job fails.
    """
    install(assets, home)
    champion = list_models(home, classifier)[-1].name
    return perform(home.resolve(), "quantize", classifier=classifier, champion=champion)
