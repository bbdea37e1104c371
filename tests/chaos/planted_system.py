"""A system whose agents have a planted bug: `python -m tests.chaos.planted_system PLANT HOME`."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from infra import local
from infra.child import LAUNCH, Program
from infra.home import Home, connect
from infra.settings import ROOT, Settings
from tests.chaos.kinds import ALWAYS
from tests.running import Running, stop, wait_until

START_S = 120.0


@contextmanager
def planted(plant: str, home: Path) -> Iterator[Running]:
    """Run such a system with two agents while the block runs."""
    ours = [sys.executable, "-m", "tests.chaos.planted_system", plant, str(home)]
    with (home / "planted.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *ours],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: (Home(home).state() or {}).get("ready"), START_S, f"{home} ready")
        yield Running(home, process, connect(replace(Settings(), home=home)))
    finally:
        stop(process)


def main(plant: str, home: str) -> None:
    """Run until told to stop."""
    logging.basicConfig(level=logging.INFO)
    sound = local._agent_program

    def with_bug(settings: Settings) -> Callable[[int], Program]:
        def agent(number: int) -> Program:
            program = sound(settings)(number)
            at = program.command.index("stream.app")
            before, after = program.command[:at], program.command[at + 1 :]
            return replace(program, command=(*before, "tests.chaos.planted", plant, *after))

        return agent

    local._agent_program = with_bug
    wanted = local.Wanted(agents=2, feed=False, only=ALWAYS)
    local.run(replace(Settings(), home=Path(home)), wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
