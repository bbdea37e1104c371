"""A process that explains: `python -m ml.explaining`, requests in, explanations out as JSON lines.

The first line on standard input says where the artifacts are and how the stream computes; every
further one is a request. Each request has one answer: `{"event": "explanation", ...}` or `{"event":
"error", "text": ...}`, with the request's `id`. It ends with its standard input. Whoever started it
keeps it warm: TensorFlow takes seconds to load and 600 MB.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import msgspec

from ml.artifact import ArtifactError
from ml.explanation import Explainer
from ml.runtimes import Precision, RuntimeName

log = logging.getLogger("wireroom.explaining")


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: the home folder, and the settings of the stream's engine."""

    home: str
    runtime: RuntimeName = "auto"
    precision: Precision = "auto"
    threads: int = 0


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question: why does `model` answer so? `label` None: about the label that it gives."""

    id: str
    model: str
    title: str = ""
    body: str = ""
    label: str | None = None


def main() -> int:
    """Answer requests until standard input ends."""
    # Libraries print to standard output; only answers may.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.WARNING)
    lines = iter(sys.stdin.buffer.readline, b"")
    setup = msgspec.json.decode(next(lines), type=Setup)
    explainer = Explainer(Path(setup.home), setup.runtime, setup.precision, setup.threads)
    for line in lines:
        answers.write(answer(explainer, line) + b"\n")
        answers.flush()
    return 0


def answer(explainer: Explainer, line: bytes) -> bytes:
    """Return the answer to one request, as JSON."""
    try:
        asked = msgspec.json.decode(line, type=Request)
    except msgspec.MsgspecError as error:
        return msgspec.json.encode({"event": "error", "id": None, "text": f"no request: {error}"})
    try:
        found = explainer.explain(asked.model, asked.title, asked.body, asked.label)
    except (ArtifactError, ValueError, OSError) as error:
        return msgspec.json.encode({"event": "error", "id": asked.id, "text": str(error)})
    except Exception as error:  # one text must not end the process that others wait for
        log.exception("request %s failed", asked.id)
        text = f"the explainer failed: {type(error).__name__}"
        return msgspec.json.encode({"event": "error", "id": asked.id, "text": text})
    return msgspec.json.encode(
        {"event": "explanation", "id": asked.id, **msgspec.to_builtins(found)}
    )


if __name__ == "__main__":
    sys.exit(main())
