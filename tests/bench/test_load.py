from __future__ import annotations

from tests.bench.corpus import Supply
from tests.bench.load import arrivals, percentile


def test_arrivals_come_at_the_rate_that_was_asked_for_and_always_the_same() -> None:
    times = arrivals(rate=100, seconds=50, seed=1)
    assert times == arrivals(rate=100, seconds=50, seed=1)
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < 50
    assert 4800 < len(times) < 5200  # 5,000 expected, deviation 71


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 5.0, 5.0]


def test_a_supply_never_hands_out_a_text_twice() -> None:
    supply = Supply(["oil", "grain"])
    assert supply.take(3) == ["oil", "grain", "1 oil"]
    assert supply.take(2) == ["1 grain", "2 oil"]
