"""Articles in, results out, and whether all is accounted for: ingest, tail, ledger, verify."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.table import Table

from infra.cli.terminal import (
    HomeOption,
    JsonOption,
    connected,
    err,
    out,
    print_json,
    progress_bar,
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (ingest, tail, ledger, verify):
        app.command()(command)


def ingest(
    source: Annotated[
        str,
        typer.Argument(help="JSON lines (.gz too, - for stdin), ninjs, or an RSS/Atom address."),
    ],
    rate: Annotated[float | None, typer.Option(min=0.001, help="Articles a second.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish articles from a file, a feed or standard input."""
    # Here: Kafka's client, which --help must not wait for.
    from stream import publisher, sources

    settings = connected(home)
    began = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("publishing", total=None)
        count = publisher.publish(
            settings,
            sources.read(source),
            rate=rate,
            progress=lambda sent: bar.update(task, completed=sent),
        )
    took_s = time.monotonic() - began
    if as_json:
        print_json({"published": count, "seconds": round(took_s, 3)})
    else:
        out.print(f"published {count} articles in {took_s:.1f} s ({count / took_s:,.0f}/s)")


def tail(
    topic: Annotated[
        str,
        typer.Argument(
            help="results, deadletters, alerts, deployments, articles, held, shadows, corrections, "
            "or a topic's full name."
        ),
    ] = "results",
    as_json: JsonOption = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start at the topic's first message.")
    ] = False,
    no_follow: Annotated[
        bool, typer.Option("--no-follow", help="End at the topic's present end.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Print messages as they are committed; with --json one object a line."""
    from infra.cli import reading  # here: Kafka's client, which --help must not wait for

    settings = connected(home)
    found = reading.find_topic(topic)
    try:
        for message in reading.messages(
            settings, found, from_beginning=from_beginning, follow=not no_follow
        ):
            if as_json:
                reading.print_as_json(found, message)
            else:
                reading.print_for_people(found, message)
    except KeyboardInterrupt:
        raise typer.Exit from None


def ledger(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Count what became of every article; the difference is 0 where nothing was lost or doubled."""
    from stream import accounting  # here: Kafka's client, which --help must not wait for

    settings = connected(home)
    with err.status("counting"):
        counted = accounting.ledger(settings)
    if as_json:
        print_json(counted.as_dict())
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("articles", justify="right")
    table.add_row("inputs", f"{counted.inputs:,}")
    for outcome in (*accounting.OUTCOMES, "waiting"):
        table.add_row("  " + outcome.replace("_", " "), f"{getattr(counted, outcome):,}")
    colour = "green" if counted.difference == 0 else "bold red"
    table.add_row("difference", f"[{colour}]{counted.difference:,}[/]")
    if counted.expired:
        table.add_row("expired before, not counted", f"{counted.expired:,}")
    out.print(table)


def verify(
    sample: Annotated[
        int | None, typer.Option(min=1, help="How many results, drawn at random; default: all.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute results again from article and named model version, and compare."""
    from stream import verification  # here: Kafka's client, which --help must not wait for

    settings = connected(home)
    with progress_bar() as bar:
        task = bar.add_task("verifying", total=None)
        outcome = verification.verify(
            settings,
            sample,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(outcome.as_dict())
    else:
        out.print(f"checked {outcome.checked:,}, agreed {outcome.agreed:,}")
        if outcome.degraded:
            out.print(f"  {outcome.degraded:,} of them came from a standby (degraded)")
        if outcome.near:
            out.print(
                f"  {outcome.near:,} of them took the embedding of an earlier text (near): "
                f"{outcome.near_agreed:,} have the labels of their own, the measured bound is "
                + ("kept" if outcome.near_within_bound else "[bold red]broken[/]")
            )
        for found in outcome.disagreements[:20]:
            out.print(
                f"  {found.partition}/{found.offset} {found.uri!r} {found.model}: published "
                f"{found.published}, computed {found.computed}",
                markup=False,
            )
    if outcome.disagreements or not outcome.near_within_bound:
        raise typer.Exit(1)
