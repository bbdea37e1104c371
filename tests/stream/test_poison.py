"""A text that kills the engine is found and given up; the others are answered."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml.text import digest
from stream.engine_client import EngineClient, PoisonousTexts
from tests.stream.dying_engine import ENCODER, POISON

DEATHS = 3  # once among others, twice alone


class Supervised(threading.Thread):
    """Starts the engine again whenever it dies, as the supervisor does."""

    def __init__(self, socket: Path, folder: Path) -> None:
        super().__init__(daemon=True)
        self._command = [sys.executable, "-m", "tests.stream.dying_engine"]
        self._command += [f"unix:{socket}", str(folder)]
        self._ending = threading.Event()
        self._process = subprocess.Popen(self._command)
        self.deaths = 0

    def run(self) -> None:
        while self._process.wait() and not self._ending.is_set():
            self.deaths += 1
            self._process = subprocess.Popen(self._command)

    def stop(self) -> None:
        self._ending.set()
        self._process.kill()
        self.join()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Supervised]:
    supervised = Supervised(tmp_path / "engine.sock", tmp_path / "run")
    supervised.start()
    yield supervised
    supervised.stop()


def test_a_poisonous_text_costs_three_deaths_and_the_others_are_answered(
    engine: Supervised, tmp_path: Path
) -> None:
    client = EngineClient(f"unix:{tmp_path}/engine.sock")
    good = ["oil rose", "wheat fell", "the choir sang"]
    with pytest.raises(PoisonousTexts) as raised:
        client.embed(ENCODER, [*good, POISON])
    assert raised.value.digests == {digest(POISON)}
    assert [float(e.vector[0]) for e in client.embed(ENCODER, good)] == [8.0, 10.0, 14.0]
    with pytest.raises(PoisonousTexts):
        client.embed(ENCODER, [POISON])
    client.close()
    assert engine.deaths == DEATHS
