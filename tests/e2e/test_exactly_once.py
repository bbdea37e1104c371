"""Exactly once, seen from outside, while agents are killed."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import trial
from tests.chaos.kinds import ALWAYS
from tests.running import running


def test_three_killed_agents_lose_double_and_reorder_nothing(assets: Path, tmp_path: Path) -> None:
    plan = trial.Plan(articles=2_000, faults=["kill", "kill", "kill"], seed=3, rate=150)
    home = tmp_path / "home"
    home.mkdir()
    with running(home, "--agents", "2", "--only", *ALWAYS) as system:
        outcome = trial.run(system, plan, tmp_path)
        assert outcome.problems == []
        assert outcome.figures["articles"] == 2_000
        assert outcome.figures["seen"] == outcome.figures["expected"]
        assert outcome.figures["verifiers_differ"] == 0
        assert outcome.figures["ledger_difference"] == 0
        assert outcome.figures["verify_agreement"] == 1.0
        assert len(outcome.blows) == 3
