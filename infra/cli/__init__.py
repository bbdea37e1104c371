"""The `wireroom` command: what an operator does from a terminal.

Commands import what they need when they run: `wireroom --help` answers at once, without Kafka's,
Redis' and the model's libraries.
"""

from __future__ import annotations

import sys
import traceback

import typer
from rich.console import Console

from infra import settings
from infra.cli import (
    checks,
    data,
    datasets,
    encoder_training,
    encoders,
    explaining,
    jobs,
    keys,
    models,
    rescoring,
    system,
)

app = typer.Typer(
    name="wireroom",
    help="Streaming news classification: every article accounted for, every result names its model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    system,
    checks,
    data,
    datasets,
    encoders,
    models,
    jobs,
    encoder_training,
    explaining,
    rescoring,
    keys,
):
    group.register(app)


def main() -> None:
    """Run the command line; an error is one line on stderr and exit status 1."""
    try:
        app()
    except BrokenPipeError:  # `wireroom tail | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if isinstance(error, settings.SettingError) or not _wants_traceback():
            named = f"{error}" or type(error).__name__
            Console(stderr=True).print(f"[red]error:[/red] {_escape(named)}", soft_wrap=True)
        else:
            traceback.print_exc()
        sys.exit(1)


def _wants_traceback() -> bool:
    return settings.load().log_level == "debug"


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
