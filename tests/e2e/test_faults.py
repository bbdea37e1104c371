"""What stands beside the stream breaks, and it goes on: same labels, nothing lost or doubled."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ml.messages import Classification
from stream.verification import TOLERANCE
from tests.answers import ask, check_accounts
from tests.chaos import spoiling, trial
from tests.chaos.articles import Corpus
from tests.running import Running, wait_until

COUNT = 60  # texts
RATE = 100.0
SAMPLE = 300  # of all results; the engine's trial computes every one of them again
TRIES = 10  # an agent leaves a cache that failed alone for up to 5 s
BESIDE = ("console", "history", "worker", "scheduler")

SPOILED: dict[str, Callable[[Running], object]] = {
    "killed": lambda system: system.kill("cache"),
    "hung": lambda system: system.kill("cache", signal.SIGSTOP),
    "full": lambda system: spoiling.full(system.settings.cache),
    "junk": lambda system: spoiling.junk(system.settings.cache),
}


def new_texts(assets: Path, name: str) -> list[str]:
    """Return texts that nobody has sent before."""
    draw, corpus = random.Random(name), Corpus(assets)
    return [f"{corpus.text(draw)} {name} {n}" for n in range(COUNT)]


def classify(system: Running, name: str, texts: list[str]) -> dict[str, Classification]:
    """Send texts under uris of their own and return the answers by text."""
    uris = {f"{name}:{n}": text for n, text in enumerate(texts)}
    return {uris[uri]: result for uri, result in ask(system, uris, RATE).items()}


def origins(answers: dict[str, Classification], texts: list[str]) -> set[str | None]:
    """Return where the embeddings of these texts came from."""
    return {answers[text].subjects[0].embedding for text in texts}


def put_into_cache(system: Running, name: str, texts: list[str]) -> dict[str, Classification]:
    """Send texts until every one of them is answered out of the cache."""
    for attempt in range(TRIES):
        answers = classify(system, f"{name}-{attempt}", texts)
        if origins(answers, texts) == {"hit"}:
            return answers
        time.sleep(1)
    raise AssertionError(f"the cache does not keep what is put into it: {origins(answers, texts)}")


@pytest.fixture
def mended(system: Running) -> Iterator[Running]:
    """The system, whose cache is started anew after the test."""
    yield system
    pid = system.kill("cache")
    wait_until(lambda: system.process("cache")["pid"] not in (pid, None), 60, "another cache")
    system.wait_ready()


@pytest.mark.parametrize("how", SPOILED)
def test_no_label_changes_with_a_cache_that_is(how: str, assets: Path, mended: Running) -> None:
    known, new = (new_texts(assets, f"{name}-{how}") for name in ("known", "new"))
    before = put_into_cache(mended, f"before-{how}", known)
    SPOILED[how](mended)
    after = classify(mended, f"after-{how}", known + new)
    for text in known:
        one, other = before[text].subjects[0], after[text].subjects[0]
        assert (other.label, other.decision) == (one.label, one.decision), text
        assert abs(other.confidence - one.confidence) < TOLERANCE, text
    # A full server still answers with what it has.
    assert origins(after, known) == {"hit" if how == "full" else "miss"}
    assert origins(after, new) == {"miss"}
    check_accounts(mended, SAMPLE)


def test_an_engine_killed_under_a_transactional_load_loses_and_doubles_nothing(
    system: Running, tmp_path: Path
) -> None:
    plan = trial.Plan(1_000, ["engine", "engine"], seed=11, rate=RATE, transactional=True)
    outcome = trial.run(system, plan, tmp_path)
    assert outcome.problems == []
    assert outcome.figures["articles"] == 1_000
    assert [blow.fault for blow in outcome.blows] == ["engine", "engine"]


def test_what_stands_beside_may_stop_and_die_and_catches_up(system: Running, assets: Path) -> None:
    first, second = (new_texts(assets, name) for name in ("stopped", "killed"))
    for name in BESIDE:
        system.kill(name, signal.SIGSTOP)
    assert len(classify(system, "beside-stopped", first)) == COUNT
    assert in_database(system) == 0
    for name in BESIDE:
        system.kill(name, signal.SIGKILL)
    assert len(classify(system, "beside-killed", second)) == COUNT
    wait_until(lambda: in_database(system) == 2 * COUNT, 60, "all results in the database")
    system.wait_ready()
    with urllib.request.urlopen(f"{system.state['console']}/login/", timeout=10) as page:
        assert page.status == 200
    check_accounts(system, SAMPLE)


def in_database(system: Running) -> int:
    """Return how many results of the test above the console has."""
    file = system.settings.home / "console.sqlite3"
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        [[count]] = database.execute(
            "SELECT count(*) FROM history_result WHERE uri LIKE 'beside-%'"
        )
    finally:
        database.close()
    return int(count)
