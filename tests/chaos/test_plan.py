"""The harness's own arithmetic: when faults strike, what must run for them, and what is late."""

from __future__ import annotations

import random

import pytest

from tests.chaos import kinds, table
from tests.chaos.faults import FREEZE_S, moments
from tests.chaos.trial import Blow, Outcome


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_strikes_in_turn_and_within_the_feed(seed: int) -> None:
    several = moments(["kill"] * 12, 60.0, random.Random(seed))
    assert several == sorted(several)
    assert several[0] > 0
    assert several[-1] < 60


@pytest.mark.parametrize("seed", range(20))
def test_what_follows_a_freeze_strikes_after_it_and_within_the_feed(seed: int) -> None:
    first, second, third = moments(["kill", "freeze", "kill"], 60.0, random.Random(seed))
    assert 0 < first < second
    assert second + FREEZE_S < third < 60


def test_a_list_of_faults_is_read_and_an_unknown_one_refused() -> None:
    assert kinds.parse("kill:2,cache,history:1") == ["kill", "kill", "cache", "history"]
    with pytest.raises(ValueError, match="no fault 'flood'; known are kill, killboth"):
        kinds.parse("flood:1")


def test_what_a_fault_strikes_is_started() -> None:
    assert kinds.roles(["kill", "broker"]) == kinds.ALWAYS
    assert kinds.roles(["worker", "history"]) == (*kinds.ALWAYS, "history", "worker")


def test_a_late_result_is_told_and_no_problem() -> None:
    late = Blow("kill", ("agent-1",), 5.5, 6.0, 5.0)
    in_time = Blow("killboth", ("agent-1", "agent-2"), 5.5, 6.0, 10.0)
    unbounded = Blow("broker", ("broker",), 25.0, 26.0, None)
    nothing_left = Blow("kill", ("agent-2",), None, None, 5.0)
    outcome = Outcome({}, [late, in_time, unbounded, nothing_left], [])
    assert outcome.late == [late]
    assert table.late(late) == "late: 5.50 s after kill of agent-1, bound 5.0 s"
    assert outcome.problems == []
