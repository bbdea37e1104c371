"""The engine's workers under the real supervisor: they end with it, however it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ml.artifact import find_encoder
from stream.engine_client import EngineClient
from tests.running import SERVERS, Running, command, start, stop, wait_until

ONLY = ("--no-feed", "--only", *SERVERS, "engine")


@contextmanager
def loaded(system: Running) -> Iterator[list[psutil.Process]]:
    """Have the system's encoder loaded; the block gets the engine's workers."""
    client = EngineClient(system.settings.engine_address)
    client.describe(find_encoder(system.home, "minilm-l6").id)
    workers = psutil.Process(system.process("engine")["pid"]).children(recursive=True)
    assert len(workers) == 1
    yield workers
    client.close()
    wait_until(lambda: not any(worker.is_running() for worker in workers), 5, "the workers' end")


def test_workers_end_with_the_supervisor_and_are_no_processes_of_its_own(
    assets: Path, tmp_path: Path
) -> None:
    first = start(tmp_path, *ONLY)
    with loaded(first):
        told = command("status", "--json", "--home", str(tmp_path))
        names = [process["name"] for process in json.loads(told.stdout)["processes"]]
        assert names == [*SERVERS, "engine"]
        assert stop(first.supervisor) == 0
    second = start(tmp_path, *ONLY)
    with loaded(second):
        second.supervisor.kill()
        second.supervisor.wait()
