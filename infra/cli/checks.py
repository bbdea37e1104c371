"""wireroom doctor: what stands in the way of a start, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, out, print_json

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(doctor)


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check settings, versions, ports, disk, servers and clocks; exit 1 where a start would fail."""
    from infra import doctor as checks  # here: Kafka's client, which --help must not wait for

    table = Table(box=None, pad_edge=False)
    for title in ("", "check", "found", "what to do"):
        table.add_column(title)
    findings = list(checks.examine(home))
    for found in findings:
        table.add_row(
            f"[{COLOURS[found.level]}]{found.level}[/]",
            found.check,
            escape(found.text),
            escape(found.advice),
        )
    if as_json:
        print_json([asdict(found) for found in findings])
    else:
        out.print(table)
    if any(found.level == "fail" for found in findings):
        raise typer.Exit(1)
