"""Twenty encoders one after another in front of the same agent: nothing fails, nothing is kept."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from ml import artifact
from ml.artifact import encoder_path
from ml.seed import make_seed
from stream.engine_client import EngineClient
from tests.running import wait_until
from tests.stream.routing import REAL, Routing, routing

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 calls old.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SWAPS = 20
SETTLED = 3  # swaps after which everything has been used once
TEXTS = ["Oil prices rose.", "Shares fell sharply in heavy trading on Monday. " * 8, ""]
MORE_BYTES = 16 * 2**20  # far below one encoder process kept


def make_encoders(home: Path, count: int) -> list[str]:
    """Make encoders that differ in name alone and return their ids."""
    first = make_seed(home, TEXTS, ["en"])
    files = {name: encoder_path(home, first.id) / name for name in first.files}
    return [
        artifact.save(home, msgspec.structs.replace(first, name=f"seed{n}"), files).id
        for n in range(count)
    ]


class Agent(threading.Thread):
    """Asks for the same texts all the time, of the encoder that is served."""

    def __init__(self, client: EngineClient, encoder: str) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._stopping = threading.Event()
        self.encoder = encoder
        self.answered = 0
        self.first: list[np.ndarray] = []
        self.wrong = 0

    def run(self) -> None:
        while not self._stopping.is_set():
            vectors = [e.vector for e in self._client.embed(self.encoder, TEXTS)]
            self.first = self.first or vectors
            self.wrong += not all(map(np.array_equal, vectors, self.first))
            self.answered += 1

    def swap(self, encoder: str) -> None:
        """Ask another encoder from now on; return once it has answered."""
        before = self.answered
        self.encoder = encoder
        wait_until(lambda: self.answered > before + 2, 10, f"answers by {encoder}")

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)
        assert not self.is_alive()


def memory(router: Routing) -> int:
    """Return the bytes that router and workers hold once only the serving encoder is left."""
    wait_until(lambda: len(router.workers()) == 1, 10, "the end of the others")
    processes = [psutil.Process(router.process.pid), *router.workers()]
    return sum(int(process.memory_info().rss) for process in processes)


def test_twenty_encoder_swaps_fail_no_request_and_keep_memory_flat(tmp_path: Path) -> None:
    encoders = make_encoders(tmp_path, SWAPS + 1)
    held = []
    with routing(tmp_path, REAL, engine_idle_s=1.0) as router:
        rollout = router.client()
        agent = Agent(router.client(), encoders[0])
        agent.start()
        for n, encoder in enumerate(encoders[1:], 1):
            rollout.describe(encoder)
            agent.swap(encoder)
            if n in (SETTLED, SWAPS):
                held.append(memory(router))
        agent.stop()
        assert router.figures()["restarts"] == 0
    assert agent.wrong == 0
    assert held[1] - held[0] < MORE_BYTES, held
