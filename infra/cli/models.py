"""Model versions and what runs: models, deploy, rollback."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, connected, out, print_json, settings_at

METRICS = (("accuracy", "accuracy"), ("macro_f1", "macro-F1"), ("ece", "calibration error"))

NAMES = ("model", "encoder", "dataset")  # for copying into the next command: never cut


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (models, deploy, rollback):
        app.command()(command)


def models(
    classifier: Annotated[str | None, typer.Argument(help="Only this classifier's.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List model versions with their figures; marks the ones that serve."""
    # Here: numpy and Kafka's client, which --help must not wait for.
    import msgspec

    from ml import artifact

    settings = settings_at(home)
    serving = _champions(home)
    found = artifact.list_models(settings.home.resolve(), classifier)
    if as_json:
        rows = [
            {**msgspec.to_builtins(m), "name": m.name, "serving": m.name in serving} for m in found
        ]
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("model", "serves", "encoder", "dataset", *(t for _, t in METRICS), "made"):
        table.add_column(title, no_wrap=title in NAMES)
    for model in found:
        table.add_row(
            model.name,
            "[green]champion[/]" if model.name in serving else "",
            model.encoder,
            model.dataset,
            *(_figure(model.metrics.get(key)) for key, _ in METRICS),
            model.created_at[:19].replace("T", " "),
        )
    out.print(table if found else "no models yet; `wireroom train` makes one")


def deploy(
    classifier: Annotated[str, typer.Argument(help="The classifier, e.g. topic.")],
    model: Annotated[str, typer.Argument(help="The version: its name, or its number alone.")],
    why: Annotated[str, typer.Option(help="Goes into the history.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also a version that the gate refused.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model version answer for its classifier from now on."""
    # Here: numpy, Django and Kafka's client, which --help must not wait for.
    from infra.cli import database
    from ml import artifact
    from stream import deployments

    settings = connected(home)
    found = artifact.list_models(settings.home, classifier)
    wanted = [m for m in found if model in (m.name, m.name.partition("+")[0], str(m.number))]
    if not wanted:
        known = ", ".join(m.name for m in found) or "none"
        raise ValueError(f"no version {model!r} of {classifier}; there are {known}")
    manifest = wanted[-1]
    artifact.check_files(settings.home / manifest.folder, manifest)
    if not force and (reasons := database.refusals(settings, manifest.name)):
        raise ValueError(f"the gate refused {manifest.name} ({'; '.join(reasons)}); see --force")
    current = deployments.read(settings).current.get(classifier)
    if current is not None and current.deployment.champion == manifest.name:
        _deployed(classifier, manifest.name, current.offset, "already serves", as_json=as_json)
        return
    offset = deployments.publish(
        settings,
        classifier,
        manifest.name,
        by=getpass.getuser(),
        why=why,
        based_on=current.offset if current else None,
    )
    _deployed(classifier, manifest.name, offset, "serves now", as_json=as_json)


def rollback(
    classifier: Annotated[str, typer.Argument(help="The classifier, e.g. topic.")],
    why: Annotated[str, typer.Option(help="Goes into the history.")] = "roll back",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the version answer again that answered before the present one."""
    from stream import deployments  # here: --help must not wait for Kafka's client

    settings = connected(home)
    control = deployments.read(settings)
    current = control.current.get(classifier)
    if current is None:
        raise ValueError(f"nothing was ever deployed for {classifier}")
    earlier = [
        record.deployment.champion
        for record in control.records
        if record.effective
        and record.deployment.classifier == classifier
        and record.deployment.champion not in (None, current.deployment.champion)
    ]
    if not earlier:
        raise ValueError(f"no other version of {classifier} has served before")
    offset = deployments.publish(
        settings,
        classifier,
        earlier[-1],
        by=getpass.getuser(),
        why=why,
        based_on=current.offset,
    )
    _deployed(classifier, str(earlier[-1]), offset, "serves again", as_json=as_json)


def _deployed(classifier: str, model: str, offset: int, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"classifier": classifier, "champion": model, "offset": offset})
    else:
        out.print(f"{model} {what} (deployment {offset})")


def _champions(home: Any) -> set[str]:
    """Return the versions that serve; none where nothing runs."""
    from infra.home import NotRunning  # here: psutil is not needed for --help
    from stream import deployments

    try:
        return set(deployments.read(connected(home)).champions.values())
    except NotRunning:
        return set()


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else ""
