"""The encoders of an installation: listed, and added."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, err, out, print_json, settings_at

NAMES = ("encoder",)  # for copying into the next command: never cut

encoders = typer.Typer(help="List encoders with what they read, or add one.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(encoders, name="encoders")


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


def _languages(tags: list[str]) -> str:
    return " ".join(tags) if len(tags) <= 6 else f"{len(tags)}, {tags[0]} to {tags[-1]}"
