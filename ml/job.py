"""Run one job: a specification in on standard input, events out as JSON lines.

`python -m ml.job` prints progress, metrics and log lines, and last the result, or an error with
exit status 1. It imports nothing above `ml` and knows no network and no database: whoever started it
records what it says. See `ml.jobs.specification` for what it takes.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import msgspec

from ml.artifact import ArtifactError
from ml.jobs.report import Report
from ml.jobs.specification import JobError, JobName, parse

# By name, because each pulls in what only it needs: TensorFlow for one, NNCF for another.
FAMILIES: dict[JobName, str] = {
    "train": "ml.jobs.train",
    "refit": "ml.jobs.train",
    "evaluate": "ml.jobs.evaluate",
    "quantize": "ml.jobs.quantize",
    "import": "ml.jobs.import_encoder",
    "pretrain": "ml.jobs.pretrain",
    "finetune": "ml.jobs.finetune",
    "compress": "ml.jobs.compress",
}


def main() -> int:
    """Run the job and return the exit status."""
    # Libraries print to standard output; only events may.
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    report = Report(events)
    last, status = _run(report)
    report.end(last)
    return status


def _run(report: Report) -> tuple[dict[str, Any], int]:
    """Return the last event and the exit status."""
    try:
        specification = parse(sys.stdin.buffer.read())
        family = importlib.import_module(FAMILIES[specification.job])
        outcome = family.run(specification, report)
    # ValueError: TrainingError, and articles or weights that do not fit.
    except (ArtifactError, JobError, ValueError, OSError) as error:
        return {"event": "error", "text": str(error)}, 1
    return {"event": "result", **msgspec.to_builtins(outcome)}, 0


if __name__ == "__main__":
    sys.exit(main())
