"""The jobs that the console starts too: train, refit, quantize, evaluate; and their runs."""

from __future__ import annotations

import getpass
import json
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from infra.cli.terminal import (
    LATER,
    HomeOption,
    JsonOption,
    connected,
    err,
    out,
    print_json,
    progress_bar,
    settings_at,
)
from infra.settings import Settings

ClassifierOption = Annotated[str, typer.Option(help="The classifier.")]
DatasetOption = Annotated[
    str | None, typer.Option(help="A dataset's name (its newest version) or a version's id.")
]
EncoderOption = Annotated[str | None, typer.Option(help="An encoder's name or id.")]


class Kind(StrEnum):
    """How many labels a head gives an article."""

    AUTO = "auto"
    MULTINOMIAL = "multinomial"
    MULTILABEL = "multilabel"


class Calibration(StrEnum):
    """How a head's probabilities are made true."""

    AUTO = "auto"
    TEMPERATURE = "temperature"
    ISOTONIC = "isotonic"


SHOWN_RUNS = 20
# What a run ends as when nothing is wrong.
GOOD = ("succeeded", "unchanged")

NAMES = ("run", "model")  # for copying into the next command: never cut


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (train, refit, quantize, evaluate, runs):
        app.command()(command)
    for name, meaning in (
        ("replay", "Classify past articles again with another model version."),
        ("redrive", "Publish dead letters again once their cause is mended."),
    ):
        anything = {"allow_extra_args": True, "ignore_unknown_options": True}
        app.command(name, help=meaning, context_settings=anything)(_later(name))


def train(
    dataset: Annotated[
        str | None,
        typer.Option(
            help="A dataset's name (its newest version) or a version's id. [default: r8, "
            "or none with --zero-shot]",
            show_default=False,
        ),
    ] = None,
    classifier: ClassifierOption = "topic",
    encoder: EncoderOption = None,
    kind: Annotated[
        Kind, typer.Option(help="One label an article, or any number; auto: as the dataset has.")
    ] = Kind.AUTO,
    tree: Annotated[
        str | None,
        typer.Option(
            help="A JSON file with each label's parent, or `paths` where labels are paths like "
            "sport/football: articles get the labels above theirs too."
        ),
    ] = None,
    zero_shot: Annotated[
        Path | None,
        typer.Option(help="A JSON file with each label's description: starts without articles."),
    ] = None,
    calibration: Annotated[
        Calibration, typer.Option(help="What makes confidences true; auto: the better one.")
    ] = Calibration.TEMPERATURE,
    abstain_below: Annotated[
        float | None, typer.Option(help="A best label less certain than this is not given.")
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(help="Differential privacy: the most the head may tell of any one article."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a head on a dataset's embeddings; prints its figures and the new version."""
    asked = {
        "job": "train",
        "classifier": classifier,
        "dataset": dataset or (None if zero_shot else "r8"),
        "encoder": encoder,
        "kind": kind.value,
        "tree": "paths" if tree == "paths" else _label_map(Path(tree)) if tree else None,
        "zero_shot": _label_map(zero_shot) if zero_shot else None,
        "calibration": calibration.value,
        "abstain_below": abstain_below,
        "epsilon": epsilon,
    }
    perform(asked, home, as_json=as_json)


def _label_map(file: Path) -> dict[str, str]:
    """Read a JSON object of texts by label; ends the command where it is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(x, str) for x in found.values()):
        raise typer.BadParameter(f"{file}: expected one JSON object with a text for each label")
    return found


def refit(
    dataset: DatasetOption = None,
    classifier: ClassifierOption = "topic",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the head that serves again, on the newest version of its dataset."""
    perform({"job": "refit", "classifier": classifier, "dataset": dataset}, home, as_json=as_json)


def quantize(
    classifier: ClassifierOption = "topic", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Make an int8 encoder for CPUs out of the one that serves, and fit the head on it."""
    perform({"job": "quantize", "classifier": classifier}, home, as_json=as_json)


def evaluate(
    dataset: DatasetOption = None,
    classifier: ClassifierOption = "topic",
    model: Annotated[
        str | None, typer.Option(help="A model version; default: the one that serves.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="The version to compare with; default: the one that serves."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model version on a dataset's test split; --json prints the whole report."""
    asked = {
        "job": "evaluate",
        "classifier": classifier,
        "dataset": dataset,
        "model": model,
        "champion": against,
    }
    perform(asked, home, as_json=as_json)


def runs(
    count: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = SHOWN_RUNS,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest runs: what was done, by whom, and how it ended."""
    from infra.cli import database  # here: Django, which --help must not wait for

    found = database.newest_runs(_settings(home), count)
    if as_json:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("run", "job", "state", "by", "asked for", "accuracy", "model"):
        table.add_column(title, no_wrap=title in NAMES)
    for run in found:
        result = run["result"] or {}
        accuracy = (result.get("metrics") or run["metrics"] or {}).get("accuracy")
        table.add_row(
            run["id"][:8],
            run["job"],
            run["state"],
            escape(run["by"]),
            run["created_at"][:19].replace("T", " "),
            f"{accuracy:.4f}" if isinstance(accuracy, float) else "",
            escape(str(result.get("model") or "")),
        )
    out.print(table if found else "no runs yet; `wireroom train` makes one")


def perform(asked: dict[str, Any], home: Path | None, *, as_json: bool) -> None:
    """Run a job here, with a progress bar, and print what came of it; None is left to the job."""
    # Here: Django and the model's libraries, which --help must not wait for.
    from workers import runner

    settings = _settings(home)
    specification = {key: value for key, value in asked.items() if value is not None}
    began = time.monotonic()
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def show(event: dict[str, Any]) -> None:
            if event["event"] != "progress":
                return
            stage = event["stage"]
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage)
            bar.update(tasks[stage], completed=event["done"], total=event["total"])

        outcome = runner.execute(settings, specification, getpass.getuser(), show)
    took_s = time.monotonic() - began
    report = _report(settings, outcome.run)
    if as_json:
        print_json(
            {"run": outcome.run, "state": outcome.state, "seconds": round(took_s, 3)}
            | outcome.result
            | ({"report": report} if report else {})
        )
    else:
        _tell(outcome, took_s)
        if report:
            _tell_report(report)
    if outcome.state not in GOOD:
        raise typer.Exit(1)


def _tell(outcome: Any, took_s: float) -> None:
    result = outcome.result
    if "text" in result:
        err.print(f"[red]error:[/] {escape(result['text'])}", soft_wrap=True)
        out.print(f"run {outcome.run} {outcome.state}; log {outcome.log_path}", soft_wrap=True)
        return
    figures = result.get("metrics") or {}
    for key, title in (
        ("accuracy", "accuracy"),
        ("macro_f1", "macro-F1"),
        ("micro_f1", "micro-F1"),
        ("ece", "calibration error"),
    ):
        if key in figures:
            out.print(f"{title:18} {figures[key]:.4f}", highlight=False)
    out.print(f"{'time':18} {took_s:.1f} s", highlight=False)
    if encoder := result.get("encoder"):
        out.print(f"{'encoder':18} {escape(encoder)}", highlight=False)
    model = result.get("model") or "none"
    known = " (unchanged: the same inputs gave it before)" if result.get("unchanged") else ""
    out.print(f"{'model':18} {escape(model)}{known}", highlight=False)
    for reason in result.get("reasons") or ():
        out.print(f"not deployable: {escape(reason)}", soft_wrap=True)


def _report(settings: Settings, run: str) -> dict[str, Any] | None:
    """Return the report that a run left, None where its job leaves none or it failed."""
    import msgspec  # here: --help must not wait for it

    from ml import evaluation_report

    try:
        found: dict[str, Any] = msgspec.to_builtins(evaluation_report.read(settings.home, run))
    except evaluation_report.ReportError:
        return None
    return found


def _tell_report(report: dict[str, Any]) -> None:
    accuracy = report["figures"]["accuracy"]
    out.print(
        f"{'95 % interval':18} {accuracy['low']:.4f} to {accuracy['high']:.4f}", highlight=False
    )
    compared = report["comparison"]
    if compared:
        out.print(
            f"{'against':18} {escape(compared['champion'])}: {compared['won']} articles won, "
            f"{compared['lost']} lost (McNemar's mid-p {compared['mid_p']:.3f})",
            highlight=False,
        )
    for dimension in report["dimensions"]:
        if gap := dimension["gaps"].get("accuracy"):
            out.print(
                f"{'gap by ' + dimension['name']:18} {gap['difference']:.4f}", highlight=False
            )
    later = report["time_ordered"]
    if later:
        out.print(
            f"{'on newer articles':18} {later['accuracy']['value']:.4f} "
            f"(fitted on the older {later['train']:,}, tested on the newest {later['test']:,})",
            highlight=False,
        )


def _settings(home: Path | None) -> Settings:
    """Return the running system's settings; where none runs, jobs work on the home folder alone."""
    from dataclasses import replace

    from infra.home import Home, NotRunning  # here: psutil is not needed for --help
    from ml import artifact

    try:
        return connected(home)
    except NotRunning:
        settings = settings_at(home)
        installation = Home(settings.home.resolve())
        installation.make()
        artifact.install(settings.assets, installation.path)
        return replace(settings, home=installation.path)


def _later(name: str) -> Any:
    def command() -> None:
        err.print(f"`wireroom {name}` comes with a later version", highlight=False)
        raise typer.Exit(LATER)

    return command
