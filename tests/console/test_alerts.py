"""The rules from facts alone, and alerts raised once and resolved by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from console.alerts.evaluate import Evaluator
from console.alerts.models import Alert
from console.alerts.rules import RULES, Facts, Refused

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


class Published:
    """What was sent to the topic of alerts."""

    def __init__(self) -> None:
        self.states: list[str] = []

    def __call__(self, rule: str, message: dict[str, Any]) -> None:
        self.states.append(f"{rule} {message['state']}")


def evaluated(*lags: int | None) -> tuple[list[str], int]:
    """Evaluate lags over a bound of 100, one after another; return what was sent and is open."""
    sent = Published()
    evaluator = Evaluator(sent)
    for lag in lags:
        evaluator.evaluate(Facts(lag=lag, lag_bound=100), NOW)
    return sent.states, Alert.objects.filter(resolved_at=None).count()


def test_one_reading_over_the_bound_raises_nothing() -> None:
    assert evaluated(101, 0) == ([], 0)


def test_an_alert_is_raised_once_however_long_it_lasts() -> None:
    assert evaluated(*[500] * 10) == (["lag raised"], 1)


def test_an_alert_resolves_by_itself() -> None:
    assert evaluated(500, 500, 0, 0) == (["lag raised", "lag resolved"], 0)


def test_a_figure_that_trembles_around_its_bound_raises_one_alert() -> None:
    assert evaluated(101, 101, 99, 101, 99, 60, 101, 51) == (["lag raised"], 1)


def test_what_is_not_known_resolves_nothing() -> None:
    assert evaluated(500, 500, None, None, None) == (["lag raised"], 1)


def test_another_history_process_does_not_raise_it_again() -> None:
    evaluated(500, 500)
    assert evaluated(500, 500) == ([], 1)


def test_each_lost_process_has_an_alert_of_its_own() -> None:
    evaluator = Evaluator(Published())
    for _ in range(2):
        evaluator.evaluate(Facts(lost={"agent-1": "agent", "engine": "engine"}), NOW)
    assert sorted(Alert.objects.values_list("subject", flat=True)) == ["agent-1", "engine"]


def test_a_refused_candidate_is_told_at_once_with_its_reasons() -> None:
    evaluator = Evaluator(Published())
    refused = Refused("12345678-0", "refit", "accuracy 0.9000 is below 0.9600")
    evaluator.evaluate(Facts(refused=[refused]), NOW)
    alert = Alert.objects.get()
    assert alert.detail == "Run 12345678: accuracy 0.9000 is below 0.9600"
    assert alert.link == "/runs/12345678-0/"


def test_a_difference_of_the_ledger_is_told_in_both_directions() -> None:
    rule = next(rule for rule in RULES if rule.key == "ledger")
    over, under = (rule.find(Facts(ledger_difference=n)) for n in (2, -1))
    assert over is not None
    assert under is not None
    assert "2: so many articles are unaccounted for" in over[0].detail
    assert "accounted for twice" in under[0].detail
    assert rule.find(Facts(ledger_difference=0)) == []


def test_every_alert_says_what_to_do_next() -> None:
    facts = Facts(
        lag=20_000,
        dead_letters_minute=99,
        ledger_difference=1,
        lost={"engine": "engine"},
        refused=[Refused("1", "refit", "worse")],
    )
    found = [finding for rule in RULES for finding in rule.find(facts) or []]
    assert len(found) == 5
    assert all(len(finding.todo) > 40 for finding in found)
