"""What all commands share: their common options, and how they print."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from infra import settings as settings_file
from infra.settings import Settings

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the installation; default: WIREROOM_HOME or .wireroom"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LATER = 2  # exit status of a command whose capability comes later
PIPE_COLUMNS = 200

# Into a file or a pipe tables are as wide as they need; 80 columns would cut names.
out = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
err = Console(stderr=True)


def settings_at(home: Path | None) -> Settings:
    """Return the settings, with the home given on the command line; raises SettingError."""
    settings = settings_file.load()
    return settings if home is None else replace(settings, home=home)


def connected(home: Path | None) -> Settings:
    """Return the settings of the system that runs in `home`; raises NotRunning."""
    # Imported here: psutil is not needed for --help.
    from infra.home import connect

    return connect(settings_at(home))


def print_json(value: Any) -> None:
    """Print one JSON document on one line, whatever the terminal's width."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def progress_bar() -> Progress:
    """Return a progress display on stderr, so that stdout stays for results."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=not err.is_terminal,
    )
