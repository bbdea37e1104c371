"""An encoder dies and stays away: its twin answers, and when it is back it answers again itself."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from ml.artifact import find_encoder, install
from ml.messages import Classification, Supersedes
from stream import publisher
from tests.answers import Answers, article, ask, check_accounts, following
from tests.chaos.kinds import ALWAYS
from tests.keeping_away import kept_away, make_twin
from tests.running import Running, running, wait_until

AFTER_S = 0.3
AGAIN_S = 2.0
BACK_WITHIN_S = 60.0
STORY = "Crude oil prices rose after the ministers of the exporting countries met in Geneva. "


def texts(name: str, count: int) -> dict[str, str]:
    """Return articles by uri; so long that the twin reads other words than the encoder."""
    return {f"{name}:{n}": f"Story {name} {n}. " + STORY * 20 for n in range(count)}


def answered_again(answers: Answers, uris: Collection[str]) -> dict[str, Classification]:
    """Return the second answer to each uri."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while True:
        second = {r.uri: r for r in answers.results if r.uri in uris and r.revision == 2}
        if second.keys() == set(uris):
            return second
        assert time.monotonic() < deadline, f"{len(second)} of {len(uris)} after {BACK_WITHIN_S} s"
        answers.read()


def rescore(system: Running) -> dict[str, object]:
    told: dict[str, object] = json.loads(system.command("rescore", "--json").stdout)
    return told


def test_degraded_results_are_answered_again_once_the_encoder_is_back(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIREROOM_STANDBY_AFTER_S", str(AFTER_S))
    monkeypatch.setenv("WIREROOM_RESCORE_EVERY_S", str(AGAIN_S))
    home = tmp_path / "home"
    install(assets, home)
    encoder = find_encoder(home, "minilm-l6").id
    twin = make_twin(home, encoder)
    roles = (*ALWAYS, "worker", "scheduler")
    with running(home, "--agents", "1", "--only", *roles) as system, following(system) as answers:
        before = ask(system, texts("before", 5))
        assert not any(result.degraded for result in before.values())
        with kept_away(system, encoder):
            away = texts("away", 20)
            publisher.publish(system.settings, [article(u, t) for u, t in away.items()])
            degraded = answers.to(away)
            waits = {"published": 0, "encoders_are_back": False}
            wait_until(lambda: rescore(system) == waits, 20, "the engine's word that it is away")
        again = answered_again(answers, away)
        for uri, first in degraded.items():
            assert (first.degraded, again[uri].degraded) == (True, False)
            assert again[uri].supersedes == Supersedes(1, 1)
            assert [s.encoder for s in first.subjects] == [twin]
            assert [s.encoder for s in again[uri].subjects] == [encoder]
            assert again[uri].origin.partition == first.origin.partition
            assert again[uri].digest == first.digest
        assert rescore(system) == {"published": 0, "encoders_are_back": True}
        assert len(answers.results) == len(before) + 2 * len(away)
        check_accounts(system)
