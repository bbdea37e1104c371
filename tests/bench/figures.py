"""A measured figure, and how figures are shown: a table for people, JSON lines for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One figure: a ratio measured several times, or a single value. `goal` is for people."""

    name: str
    meaning: str
    goal: str
    value: float | None = None
    ratios: Sequence[float] = ()

    def as_json(self) -> str:
        """Return the figure as one line of JSON."""
        if not self.ratios:
            return json.dumps({"name": self.name, "value": self.value})
        spread = {
            "min": round(min(self.ratios), 4),
            "median": round(statistics.median(self.ratios), 4),
            "max": round(max(self.ratios), 4),
        }
        return json.dumps({"name": self.name, "ratio": spread})

    @property
    def shown(self) -> str:
        """The figure as a person reads it."""
        if not self.ratios:
            return f"{self.value:g}"
        low, high = min(self.ratios), max(self.ratios)
        return f"{statistics.median(self.ratios):.3f}  ({low:.3f} to {high:.3f})"


def show(console: Console, figures: Iterable[Figure]) -> None:
    """Print the figures as a table."""
    table = Table("figure", "measured", "goal", "meaning")
    for figure in figures:
        table.add_row(figure.name, figure.shown, figure.goal, figure.meaning)
    console.print(table)
