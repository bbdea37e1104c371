"""wireroom rescore: degraded results are answered again now."""

from __future__ import annotations

import typer

from infra.cli.terminal import HomeOption, JsonOption, connected, out, print_json


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(rescore)


def rescore(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Publish the articles of degraded results again; the worker does so by itself now and then."""
    from stream import rescoring  # here: Kafka's client, which --help must not wait for

    published = rescoring.rescore(connected(home))
    if as_json:
        print_json({"published": published or 0, "encoders_are_back": published is not None})
    elif published is None:
        out.print("an encoder is away: degraded results wait for it")
    else:
        out.print(f"published {published:,} articles again")
