"""Routing over worker processes: real processes, with an encoder of letters that loads at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stream.engine_client import EngineClient, EngineRefused
from stream.engine_pool import LOADS
from tests.running import wait_until
from tests.stream.dying_engine import ENCODER
from tests.stream.routing import Routing, routing

OTHER = "others+0000"
AWAY_S = 10.0


class Asking(threading.Thread):
    """An agent that asks for texts of its own, one request after another, until `stop`."""

    def __init__(self, client: EngineClient, encoder: Callable[[], str] = lambda: ENCODER) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._encoder = encoder
        self._stopping = threading.Event()
        self.answered = 0
        self.wrong: list[str] = []
        self.engines: set[float] = set()  # what each vector says of the process that made it

    def run(self) -> None:
        while not self._stopping.is_set():
            texts = ["x" * (1 + self.answered % 50), f"{self.name} {self.answered}"]
            vectors = [e.vector for e in self._client.embed(self._encoder(), texts)]
            if [float(v[0]) for v in vectors] != [float(len(text)) for text in texts]:
                self.wrong.append(f"{texts}: {vectors}")
            self.engines.add(float(vectors[1][1]))
            self.answered += 1

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)
        assert not self.is_alive()


def asking(router: Routing, count: int) -> list[Asking]:
    agents = [Asking(router.client()) for _ in range(count)]
    for agent in agents:
        agent.start()
    wait_until(lambda: all(a.answered > 3 for a in agents), 20, "answers")
    return agents


def go_on(agents: list[Asking]) -> None:
    """Wait until each of them has had several more answers."""
    before = [agent.answered for agent in agents]
    wait_until(
        lambda: all(a.answered > b + 3 for a, b in zip(agents, before, strict=True)),
        AWAY_S,
        "more answers",
    )


def stop(agents: list[Asking]) -> None:
    for agent in agents:
        agent.stop()
    assert [agent.wrong for agent in agents] == [[] for _ in agents]


def alive(processes: list[psutil.Process]) -> list[int]:
    return [p.pid for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_two_engines_share_the_requests(tmp_path: Path) -> None:
    with routing(tmp_path, engines=2) as router:
        router.client().describe(ENCODER)
        wait_until(
            lambda: [p["state"] for p in router.figures()["processes"]] == ["ready"] * 2,
            10,
            "both engines",
        )
        agents = asking(router, 4)
        before = [agent.answered for agent in agents]
        started = time.monotonic()
        time.sleep(1.0)
        took_s = time.monotonic() - started
        answered = sum(a.answered for a in agents) - sum(before)
        figures = router.figures()
        gpus = [worker.environ()["CUDA_VISIBLE_DEVICES"] for worker in router.workers()]
        stop(agents)
    # Each engine takes 20 ms for a batch, which holds what waits for it.
    assert answered / took_s > 75
    assert len(set().union(*(a.engines for a in agents))) == 2
    assert len(figures["processes"]) == 2
    assert {p["encoder"] for p in figures["processes"]} == {ENCODER}
    assert figures["p50_ms"] < 500
    assert sorted(gpus) == ["0", "1"]  # one engine a GPU, where there are any


def test_a_killed_worker_loses_no_request(tmp_path: Path) -> None:
    with routing(tmp_path, engines=2) as router:
        agents = asking(router, 3)
        for _ in range(3):
            router.workers()[0].kill()
            go_on(agents)
        stop(agents)
        assert router.figures()["restarts"] == 3


def test_a_killed_router_leaves_no_worker_and_the_next_one_serves(tmp_path: Path) -> None:
    with routing(tmp_path, engines=2) as router:
        agents = asking(router, 2)
        workers = router.workers()
        assert len(workers) == 2
        router.process.kill()
        router.start_again()
        wait_until(lambda: not alive(workers), 5, "the workers' end")
        go_on(agents)
        stop(agents)


def test_what_was_in_use_is_loaded_before_the_next_router_is_asked(tmp_path: Path) -> None:
    with routing(tmp_path) as router:
        router.client().describe(ENCODER)
        router.process.kill()
        router.start_again()
        wait_until(lambda: router.figures()["encoders"] == {ENCODER: "letters f32"}, 10, "encoder")


def test_a_told_router_ends_with_its_workers(tmp_path: Path) -> None:
    with routing(tmp_path) as router:
        router.client().describe(ENCODER)
        workers = router.workers()
        router.process.terminate()
        assert router.process.wait(5) == 0
        wait_until(lambda: not alive(workers), 5, "the workers' end")


def test_an_encoder_nobody_asks_for_is_unloaded_and_comes_back(tmp_path: Path) -> None:
    with routing(tmp_path, engine_idle_s=1.0) as router:
        client = router.client()
        client.describe(ENCODER)
        client.describe(OTHER)
        assert len(router.workers()) == 2
        agents = asking(router, 1)
        wait_until(lambda: list(router.figures()["encoders"]) == [ENCODER], 10, "one unloaded")
        stop(agents)
        wait_until(lambda: router.workers() == [], 10, "both unloaded")
        assert [float(e.vector[0]) for e in client.embed(OTHER, ["oil"])] == [3.0]


def test_a_worker_above_its_memory_is_replaced_under_requests(tmp_path: Path) -> None:
    """The fresh one takes over when it is ready, the old one answers what it was asked."""
    with routing(tmp_path, engine_memory_mb=150) as router:
        agent = Asking(router.client(), lambda: "greedy+0000")
        agent.start()
        wait_until(lambda: agent.answered, 20, "an answer")
        first = router.workers()
        wait_until(lambda: router.figures()["restarts"] == 1, 20, "a replacement")
        wait_until(lambda: not alive(first), 10, "the end of the first")
        stop([agent])
        assert len(router.workers()) == 1


def test_an_encoder_that_cannot_be_loaded_is_refused_and_others_go_on(tmp_path: Path) -> None:
    with routing(tmp_path) as router:
        client = router.client()
        with pytest.raises(EngineRefused, match="broken\\+0000 is broken"):
            client.describe("broken+0000")
        with pytest.raises(EngineRefused, match="its engine dies while it loads"):
            client.describe("dying+0000")
        assert router.figures()["restarts"] >= LOADS
        assert [float(e.vector[0]) for e in client.embed(ENCODER, ["oil"])] == [3.0]
