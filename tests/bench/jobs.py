"""Run the product's own jobs, as a worker does, for what a bench needs made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.settings import ROOT
from ml.artifact import ArtifactError

JOB_S = 3_600.0


def perform(home: Path, job: str, **asked: Any) -> dict[str, Any]:
    """Run one job and return its result; raises ArtifactError where it fails."""
    order = {"job": job, "home": str(home), **asked}
    done = subprocess.run(
        [sys.executable, "-m", "ml.job"],
        input=json.dumps(order).encode(),
        capture_output=True,
        cwd=ROOT,
        timeout=JOB_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    if result.get("event") != "result":
        raise ArtifactError(f"{job}: {result.get('text') or done.stderr[-1500:].decode()}")
    return result
