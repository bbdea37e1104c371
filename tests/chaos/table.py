"""The faults of a trial as a table."""

from __future__ import annotations

from tests.chaos.trial import Blow, Outcome

ROW = "{:<10} {:<18} {:>14} {:>8} {:>16}"


def lines(outcome: Outcome) -> list[str]:
    """Return a heading and one line for each fault, in the order in which they happened."""
    rows = [ROW.format("fault", "on", "first result s", "bound s", "last partition s")]
    for blow in outcome.blows:
        seconds = (blow.first_result_s, blow.bound_s, blow.last_partition_s)
        shown = ["-" if value is None else f"{value:.2f}" for value in seconds]
        rows.append(ROW.format(blow.fault, ",".join(blow.on), *shown))
    return rows


def late(blow: Blow) -> str:
    """Say of one fault that its first result came late."""
    on = ",".join(blow.on)
    return f"late: {blow.first_result_s:.2f} s after {blow.fault} of {on}, bound {blow.bound_s} s"
