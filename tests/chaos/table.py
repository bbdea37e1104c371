"""The faults of a trial as a table."""

from __future__ import annotations

from tests.chaos.trial import Outcome

ROW = "{:<10} {:<18} {:>14} {:>16}"


def lines(outcome: Outcome) -> list[str]:
    """Return a heading and one line for each fault, in the order in which they happened."""
    rows = [ROW.format("fault", "on", "first result s", "last partition s")]
    for struck, resumed in outcome.struck:
        seconds = (resumed.any_s, resumed.worst_s)
        shown = ["-" if value is None else f"{value:.2f}" for value in seconds]
        rows.append(ROW.format(struck.kind, ",".join(struck.names), *shown))
    return rows
