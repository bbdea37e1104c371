"""What a job is asked to do: one JSON object, checked before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ml.runtimes import Precision, RuntimeName

JobName = Literal[
    "train", "refit", "quantize", "evaluate", "import", "pretrain", "finetune", "compress"
]
Method = Literal["prune", "aware", "distill", "shallow"]


class JobError(Exception):
    """A job that cannot be done as asked; the message says what to change."""


class EncoderTraining(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `pretrain`, `finetune` and `compress` train an encoder; None leaves it to the job.

    `epochs` 0 leaves the weights as they are. `window` is the tokens read of a text, `minutes` after
    how long training stops with the best weights so far. `method` is how to compress: prune to the
    share `pruned` of zeros, train aware of int8, distill into `seed`, or into a shallow one.
    """

    epochs: int | None = None
    rate: float | None = None
    window: int | None = None
    minutes: float | None = None
    seed: int = 0
    method: Method = "distill"
    pruned: float = 0.5


class Specification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job.

    `home` is the folder of artifacts, absolute. `dataset` and `encoder` are a name (its newest
    version) or an id; left out, they are the champion's. `champion` is what serves, which a candidate
    is compared with; `margin` the accuracy it may lie below. `model` is what `evaluate` judges (the
    champion when left out), `wheel` the file that `import` reads. `threads` 0: what is allowed.

    The rest says which head is fitted. `kind` auto: of several labels where some article has not
    exactly one. `tree` is a parent by label, or says that labels are paths (sport/football).
    `zero_shot` is a description by label. A best label under `abstain_below` is no answer.
    `epsilon` asks for a differentially private head.
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
    training: EncoderTraining = EncoderTraining()
    kind: Literal["auto", "multinomial", "multilabel"] = "auto"
    tree: dict[str, str] | Literal["paths"] | None = None
    zero_shot: dict[str, str] | None = None
    calibration: Literal["auto", "temperature", "isotonic"] = "temperature"
    abstain_below: float | None = None
    epsilon: float | None = None
    delta: float | None = None


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
    asked = specification.training
    for name, value, least, most in (
        ("epochs", asked.epochs, 0, 10_000),
        ("rate", asked.rate, 0, 1),
        ("window", asked.window, 3, 512),
        ("minutes", asked.minutes, 0, 10_000),
        ("pruned", asked.pruned, 0, 0.99),
    ):
        if value is not None and not least <= value <= most:
            raise JobError(f"specification: training.{name} must be {least} to {most}, got {value}")
    for name, value in (
        ("abstain_below", specification.abstain_below),
        ("delta", specification.delta),
    ):
        if value is not None and not 0 < value < 1:
            raise JobError(f"specification: {name} must be between 0 and 1, got {value}")
    if not 0 <= specification.margin < 1:
        raise JobError(f"specification: margin must be 0 to 1, got {specification.margin}")
    return specification
