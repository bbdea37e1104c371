"""The jobs that train an encoder: pretrain, finetune, compress."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.jobs import ClassifierOption, DatasetOption, EncoderOption, perform
from infra.cli.terminal import HomeOption, JsonOption

EpochsOption = Annotated[
    int | None, typer.Option(min=0, help="Times through the articles; default: the job's own.")
]
MinutesOption = Annotated[
    float | None, typer.Option(min=0, help="Stop after so long with the best weights so far.")
]
WindowOption = Annotated[
    int | None, typer.Option(min=3, max=512, help="Tokens read of a text; fewer are faster.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of all random numbers.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (pretrain, finetune, compress):
        app.command()(command)


def pretrain(
    dataset: DatasetOption = "r52",
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    seed: SeedOption = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the encoder seed: its own tokenizer, then guessing hidden words of a dataset's texts."""
    training = {"epochs": epochs, "minutes": minutes, "seed": seed}
    perform(_order("pretrain", training, dataset=dataset), home, as_json=as_json)


def finetune(
    dataset: DatasetOption = "r8",
    encoder: EncoderOption = "minilm-l6",
    classifier: ClassifierOption = "topic",
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    window: WindowOption = None,
    seed: SeedOption = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train an encoder on a dataset's labels, and a head on it; killed, it goes on when repeated."""
    training = {"epochs": epochs, "minutes": minutes, "window": window, "seed": seed}
    order = _order("finetune", training, dataset=dataset, encoder=encoder, classifier=classifier)
    perform(order, home, as_json=as_json)


def compress(
    method: Annotated[
        str,
        typer.Argument(help="prune, aware (of int8), distill (into seed) or shallow (half deep)."),
    ] = "distill",
    dataset: DatasetOption = None,
    encoder: EncoderOption = None,
    classifier: ClassifierOption = "topic",
    pruned: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of weights that prune makes 0.")
    ] = 0.5,
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a smaller or faster encoder out of the one that serves, and fit a head on it."""
    training = {"method": method, "pruned": pruned, "epochs": epochs, "minutes": minutes}
    order = _order("compress", training, dataset=dataset, encoder=encoder, classifier=classifier)
    perform(order, home, as_json=as_json)


def _order(job: str, training: dict[str, Any], **asked: Path | str | None) -> dict[str, Any]:
    """Return what is asked of a job; None is left to it."""
    given = {key: value for key, value in training.items() if value is not None}
    return {"job": job, **asked, "training": given}
