"""`wireroom keys`: the ring that seals vectors, datasets and artifacts at rest."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from infra.cli.terminal import HomeOption, JsonOption, out, print_json, settings_at

keys = typer.Typer(help="Encryption at rest: show, rotate and drop its keys.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (status, rotate, reseal, off, drop):
        keys.command()(command)
    app.add_typer(keys, name="keys")


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the keys, and how many files are sealed under each."""
    # Here and below: numpy, which --help must not wait for.
    from ml import resealing, sealing

    folder = settings_at(home).home
    ring = sealing.find_ring(folder) or sealing.KeyRing("", {})
    used = resealing.count(folder)
    if as_json:
        known = {name: {"since": key.since, "files": used[name]} for name, key in ring.keys.items()}
        print_json({"current": ring.current, "keys": known, "plain": used[resealing.PLAIN]})
        return
    table = Table("key", "since", "files", "", box=None, pad_edge=False)
    for name, key in ring.keys.items():
        table.add_row(name, key.since, str(used[name]), "seals" if name == ring.current else "")
    table.add_row("not sealed", "", str(used[resealing.PLAIN]), "")
    out.print(table)


def rotate(
    reseal_now: Annotated[
        bool, typer.Option("--reseal/--no-reseal", help="Seal what is there under the new key.")
    ] = True,
    home: HomeOption = None,
) -> None:
    """Make a new key for all that is written from now on; the old ones still open what they sealed.

    The first call turns encryption on. Running processes take the new key at their next batch.
    """
    from ml import resealing, sealing

    folder = settings_at(home).home
    ring = (sealing.find_ring(folder) or sealing.KeyRing("", {})).with_new_key()
    sealing.save_ring(folder, ring)
    out.print(f"key {ring.current} seals from now on", highlight=False)
    if reseal_now:
        out.print(f"{resealing.reseal(folder)} files sealed under it", highlight=False)


def reseal(home: HomeOption = None) -> None:
    """Seal every file under the current key; after `off`, unseal them. May be stopped and repeated."""
    from ml import resealing

    out.print(f"{resealing.reseal(settings_at(home).home)} files changed", highlight=False)


def off(home: HomeOption = None) -> None:
    """Seal nothing more, and unseal what is sealed; the keys stay."""
    from ml import resealing, sealing

    folder = settings_at(home).home
    ring = sealing.find_ring(folder)
    if ring is None:
        raise sealing.SealError("nothing is sealed: there is no key ring")
    sealing.save_ring(folder, sealing.KeyRing("", ring.keys))
    out.print(f"{resealing.reseal(folder)} files unsealed", highlight=False)


def drop(
    key: Annotated[str, typer.Argument(help="The key's id, as `wireroom keys status` shows it.")],
    home: HomeOption = None,
) -> None:
    """Destroy an old key that no file is sealed under; cached vectors under it are encoded again."""
    from ml import resealing

    resealing.drop(settings_at(home).home, key)
    out.print(f"key {key} is gone", highlight=False)
