"""The proof from outside fails where it must: on agents with a bug on purpose."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import trial
from tests.chaos.planted_system import planted


def test_an_agent_that_commits_before_it_sends_is_found_to_lose(
    assets: Path, tmp_path: Path
) -> None:
    plan = trial.Plan(articles=1_500, faults=["kill"] * 6, seed=5, rate=150)
    home = tmp_path / "home"
    home.mkdir()
    with planted("acknowledge-early", home) as system:
        outcome = trial.run(system, plan, tmp_path, verified=False, answered_within_s=20)
        assert outcome.figures["lost"] > 0
        assert any(problem.startswith("lost: ") for problem in outcome.problems)
