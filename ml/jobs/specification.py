"""What a job is asked to do: one JSON object, checked before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ml.runtimes import Precision, RuntimeName

JobName = Literal["train", "refit", "quantize", "evaluate", "import"]


class JobError(Exception):
    """A job that cannot be done as asked; the message says what to change."""


class Specification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job.

    `home` is the folder of artifacts, absolute. `dataset` and `encoder` are a name (its newest
    version) or an id; left out, they are the champion's. `champion` is what serves, which a candidate
    is compared with; `margin` the accuracy it may lie below. `model` is what `evaluate` judges (the
    champion when left out), `wheel` the file that `import` reads. `threads` 0: what is allowed.
    """

    job: JobName
    home: str
    classifier: str = "topic"
    dataset: str | None = None
    encoder: str | None = None
    champion: str | None = None
    model: str | None = None
    wheel: str | None = None
    margin: float = 0.005
    run: str | None = None
    runtime: RuntimeName = "auto"
    precision: Precision = "auto"
    threads: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a job ends with; `unchanged` where the same model or encoder was there already."""

    model: str | None = None
    encoder: str | None = None
    unchanged: bool = False
    deployable: bool = False
    reasons: list[str] = []
    metrics: dict[str, object] = {}


def parse(text: bytes) -> Specification:
    """Read a specification; raises JobError naming the field that is wrong."""
    try:
        specification = msgspec.json.decode(text, type=Specification)
    except msgspec.MsgspecError as error:
        raise JobError(f"specification: {error}") from error
    if not Path(specification.home).is_absolute():
        raise JobError(f"specification: home must be an absolute path, got {specification.home!r}")
    if not 0 <= specification.margin < 1:
        raise JobError(f"specification: margin must be 0 to 1, got {specification.margin}")
    return specification
