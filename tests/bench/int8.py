"""The int8 twin of the encoder, made by the product's own job in a home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.settings import ROOT
from ml.artifact import ArtifactError, install, list_models

QUANTIZE_S = 420.0


def quantize(assets: Path, home: Path, classifier: str) -> dict[str, Any]:
    """Fill `home` with the assets and quantize the newest model's encoder there.

    Returns the job's outcome: encoder, metrics, whether the gate lets it through and why not.
    Raises ArtifactError where the job fails.
    """
    install(assets, home)
    order = {
        "job": "quantize",
        "home": str(home.resolve()),
        "classifier": classifier,
        "champion": list_models(home, classifier)[-1].name,
    }
    job = subprocess.run(
        [sys.executable, "-m", "ml.job"],
        input=json.dumps(order).encode(),
        capture_output=True,
        cwd=ROOT,
        timeout=QUANTIZE_S,
        check=False,
    )
    lines = job.stdout.splitlines()
    outcome: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    if outcome.get("event") != "result":
        words = outcome.get("text") or job.stderr[-1500:].decode(errors="replace")
        raise ArtifactError(f"quantizing {order['champion']} failed: {words}")
    return outcome
