"""Measure: `python -m tests.bench [GROUP]`; every group without one.

Ends with one JSON line a figure. Exit code 2 where the group is unknown, 1 where it could not run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from rich.console import Console

from infra import settings as settings_file
from infra.settings import Settings
from ml.artifact import ArtifactError
from stream.kafka import KafkaUnavailable
from tests.bench import engine, machine, quality, stream
from tests.bench.figures import Figure, show
from tests.bench.lone_engine import NoEngine
from tests.bench.system import NotStarted

GROUPS: dict[str, Callable[[Settings, Console], list[Figure]]] = {
    "engine": engine.measure,
    "stream": stream.measure,
    "quality": quality.measure,
}


def main() -> int:
    """Run one group or all, and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=main.__doc__)
    parser.add_argument("group", nargs="?", default="", help=", ".join(GROUPS))
    group: str = parser.parse_args().group
    if group and group not in GROUPS:
        print(f"no group {group!r}; there are: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    # As Ctrl-C: the system under measurement is stopped before we end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    settings = settings_file.load()
    console.print(machine.describe())
    figures: list[Figure] = []
    for name in [group] if group else list(GROUPS):
        try:
            measured = GROUPS[name](settings, console)
        except (ArtifactError, NoEngine, NotStarted, KafkaUnavailable) as error:
            console.print(f"{name}: {error} (`make setup` fetches what is missing)", markup=False)
            return 1
        figures += measured
    show(console, figures)
    for figure in figures:
        print(figure.as_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
