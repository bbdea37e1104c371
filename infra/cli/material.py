"""What models are made of: datasets and encoders, listed and added."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, err, out, print_json, settings_at

NAMES = ("dataset", "encoder")  # for copying into the next command: never cut
LANGUAGE = re.compile(r"[a-z]{2,3}")  # a primary tag: zh, not zh-Hans

datasets = typer.Typer(help="List dataset versions with their sizes, or add one.")
encoders = typer.Typer(help="List encoders with what they read, or add one.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(datasets, name="datasets")
    app.add_typer(encoders, name="encoders")


@datasets.callback(invoke_without_command=True)
def list_datasets(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """List dataset versions with their sizes, or add one."""
    context.obj = home
    if context.invoked_subcommand:
        return
    import msgspec  # here: --help must not wait for numpy, which comes along

    from ml import artifact

    found = artifact.list_datasets(settings_at(home).home.resolve())
    if as_json:
        print_json([{**msgspec.to_builtins(d), "id": d.id} for d in found])
        return
    table = Table(box=None, pad_edge=False)
    for title in ("dataset", "labels", "articles by split", "languages", "source"):
        table.add_column(title, no_wrap=title in NAMES)
    for dataset in found:
        table.add_row(
            dataset.id,
            str(len(dataset.labels)),
            _sizes(dataset.rows),
            " ".join(dataset.languages),
            dataset.source,
        )
    out.print(table if found else "no datasets yet; `wireroom up` brings in the first ones")


@datasets.command("add")
def add_dataset(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSON lines (.gz too) with label, and text or title and body; "
            "uri and split (train, validation, test) where the file has them."
        ),
    ],
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    language: Annotated[
        list[str] | None, typer.Option(help="A language of its texts; may be repeated.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read labelled articles from a file as a dataset version."""
    # Here: numpy comes along, which --help must not wait for.
    from ml.dataset_files import add_dataset as add

    languages = language or ["en"]
    if wrong := [tag for tag in languages if not LANGUAGE.fullmatch(tag)]:
        raise ValueError(f"--language {wrong[0]!r}: expected a primary tag, e.g. en or zh")
    place = settings_at(home or context.obj).home.resolve()
    manifest = add(place, file, name, languages)
    if as_json:
        print_json({"dataset": manifest.id, "rows": manifest.rows, "labels": manifest.labels})
    else:
        labels = len(manifest.labels)
        out.print(f"{manifest.id}: {_sizes(manifest.rows)}; {labels} labels", markup=False)


@encoders.callback(invoke_without_command=True)
def list_encoders(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """List encoders with what they read, or add one."""
    context.obj = home
    if context.invoked_subcommand:
        return
    import msgspec  # here: --help must not wait for numpy, which comes along

    from ml import artifact

    found = artifact.list_encoders(settings_at(home).home.resolve())
    if as_json:
        print_json([{**msgspec.to_builtins(e), "id": e.id} for e in found])
        return
    table = Table(box=None, pad_edge=False)
    for title in ("encoder", "languages", "tokens read", "width", "precision", "size"):
        table.add_column(title, no_wrap=title in NAMES)
    for encoder in found:
        size = sum(file.size for file in encoder.files.values())
        table.add_row(
            encoder.id,
            _languages(encoder.languages),
            str(encoder.window),
            str(encoder.width),
            encoder.precision,
            f"{size / 1e6:,.0f} MB",
        )
    out.print(table if found else "no encoders yet; `wireroom up` brings in the first one")


@encoders.command("add")
def add_encoder(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="minilm-l6 (English) or e5-small (95 languages).")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch and convert a pretrained encoder; e5-small takes half a minute and 480 MB of disk."""
    # Here: numpy and rich's bars come along, which --help must not wait for.
    from infra.assets import artifacts
    from infra.assets.display import Display
    from infra.assets.preparation import prepare
    from ml import artifact

    settings = settings_at(home or context.obj)
    if name not in artifacts.ENCODERS:
        raise ValueError(f"no encoder {name!r}; there are {', '.join(artifacts.ENCODERS)}")
    with Display(err) as display:
        prepare(settings.assets, display, name)
    artifact.install(settings.assets, settings.home.resolve())
    encoder = artifact.find_encoder(settings.home.resolve(), name).id
    if as_json:
        print_json({"encoder": encoder})
    else:
        out.print(f"{encoder} is there; `wireroom train --encoder {name}` makes a head on it")


def _sizes(rows: dict[str, Any]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in rows.items())


def _languages(tags: list[str]) -> str:
    return " ".join(tags) if len(tags) <= 6 else f"{len(tags)}, {tags[0]} to {tags[-1]}"
