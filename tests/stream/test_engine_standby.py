"""An encoder that stays away is stood in for: a real router, real processes, an encoder of letters."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.engine_client import EngineClient
from tests.running import wait_until
from tests.stream.dying_engine import ABSENT
from tests.stream.routing import Routing, routing
from tests.stream.standing_in import save_encoder

ENCODER = "absent+0000"
AFTER_S = 1.0
LATE_S = 5.0  # on a busy machine
SEVERAL_LOADS_S = 20.0


@contextmanager
def standing_by(home: Path) -> Iterator[tuple[Routing, EngineClient]]:
    """A router with the encoder loaded and the standby on, and a client that takes its answers."""
    with routing(home, standby_after_s=AFTER_S) as router:
        router.client().describe(ENCODER)
        client = EngineClient(router.settings.engine_address, standby=True)
        router.clients.append(client)
        yield router, client


def end_encoder(router: Routing) -> None:
    """Kill the encoder's worker; none that follows can load."""
    (router.settings.home / ABSENT).touch()
    for worker in router.workers():
        if ENCODER in worker.cmdline():
            worker.kill()


def standby_of(client: EngineClient) -> str | None:
    """Ask for a text and return who stood in for the encoder."""
    [embedding] = client.embed(ENCODER, ["oil"])
    assert float(embedding.vector[0]) == 3.0
    return embedding.standby


def test_the_twin_answers_while_its_encoder_is_away_and_no_longer(tmp_path: Path) -> None:
    twin = save_encoder(tmp_path, "twin-int8", "int8", ENCODER, 1)
    with standing_by(tmp_path) as (router, client):
        own = client.describe(ENCODER)
        assert (own.encoder, own.absent) == (ENCODER, "")
        assert standby_of(client) is None
        wait_until(
            lambda: twin in router.figures()["encoders"], 10, "the twin, before it is needed"
        )
        assert router.figures()["away"] == []

        end_encoder(router)
        began = time.monotonic()
        assert standby_of(client) == twin
        assert AFTER_S / 2 < time.monotonic() - began < LATE_S
        assert standby_of(client) == twin
        assert (router.figures()["away"], router.figures()["stood_in_texts"]) == ([ENCODER], 2)

        other = EngineClient(router.settings.engine_address, standby=True)  # an agent that restarts
        router.clients.append(other)
        described = other.describe(ENCODER)
        assert (described.encoder, described.absent) == (twin, own.fingerprint)

        (tmp_path / ABSENT).unlink()
        wait_until(lambda: standby_of(client) is None, SEVERAL_LOADS_S, "the encoder")
        assert other.describe(ENCODER) == own
        assert router.figures()["away"] == []


def test_who_asks_for_the_encoder_alone_waits_for_it(tmp_path: Path) -> None:
    save_encoder(tmp_path, "twin-int8", "int8", ENCODER, 1)
    with standing_by(tmp_path) as (router, client):
        strict = router.client()
        assert standby_of(client) is None
        end_encoder(router)
        assert standby_of(client) is not None
        answers: list[str | None] = []
        waiting = threading.Thread(target=lambda: answers.append(standby_of(strict)))
        waiting.start()
        (tmp_path / ABSENT).unlink()
        waiting.join(SEVERAL_LOADS_S)
        assert answers == [None]


def test_a_router_killed_with_its_workers_comes_back_to_the_twin(tmp_path: Path) -> None:
    twin = save_encoder(tmp_path, "twin-int8", "int8", ENCODER, 1)
    with standing_by(tmp_path) as (router, client):
        fingerprint = client.describe(ENCODER).fingerprint
        (tmp_path / ABSENT).touch()
        router.process.kill()
        router.start_again()
        assert standby_of(client) == twin
        assert client.describe(ENCODER).absent == fingerprint


def test_without_a_twin_requests_wait_and_the_log_says_so_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with standing_by(tmp_path) as (router, client):
        assert standby_of(client) is None
        end_encoder(router)
        answers: list[str | None] = []
        waiting = threading.Thread(target=lambda: answers.append(standby_of(client)))
        waiting.start()
        said: list[str] = []

        def has_said() -> bool:
            said.append(capfd.readouterr().err)
            return "has no int8 twin" in "".join(said)

        wait_until(has_said, 10, "a word about it")
        (tmp_path / ABSENT).unlink()
        waiting.join(SEVERAL_LOADS_S)
        assert answers == [None]
        said.append(capfd.readouterr().err)
        assert "".join(said).count(f"{ENCODER} is away and has no int8 twin") == 1
