"""The charts of a report as shapes: the templates only write them down as SVG.

Colours come from the style sheet by class, strengths are attributes: nothing is styled inline,
which the content security policy forbids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.evaluation_report import Bin, Confusion

PLOT = 240  # the reliability plot's side, in SVG units
STRIP = 36  # the histogram of claims under it
SIZES = ((8, 46), (16, 34))  # up to so many labels a cell is so large, and has room for its number
SMALL_CELL = 15
LETTER = 6.4  # width of a letter of the labels' font, in SVG units
LABEL_LONGEST = 18  # letters of a label's name; the whole stands in its tooltip
STRONG = 0.6  # opacity from which on a number needs the other colour
FAINTEST = 0.08  # opacity of a cell that holds anything at all


@dataclass(frozen=True)
class Cell:
    """One cell of the heat map; `strength` is its share of its row's articles."""

    x: float
    y: float
    middle: tuple[float, float]
    count: int
    strength: str
    strong: bool
    right: bool
    truth: str
    answered: str


@dataclass(frozen=True)
class Name:
    """A label along an edge of the heat map."""

    x: float
    y: float
    text: str
    whole: str


@dataclass(frozen=True)
class HeatMap:
    """A confusion matrix: truth by row, answer by column."""

    width: float
    height: float
    left: float
    top: float
    cell: int
    side: int
    numbers: bool
    cells: list[Cell]
    rows: list[Name]
    columns: list[Name]


@dataclass(frozen=True)
class Dot:
    """One bin of the reliability plot."""

    x: float
    y: float
    radius: float
    bar_x: float
    bar_y: float
    bar_width: float
    bar_height: float
    bin: Bin


@dataclass(frozen=True)
class Reliability:
    """Claims against what came true, and under it how many claims there are."""

    side: int
    height: int
    dots: list[Dot]
    line: str


@dataclass(frozen=True)
class Whisker:
    """A figure with its interval on a line from `least` to 1, in hundredths of its width."""

    low: str
    length: str
    at: str
    champion: str | None


def heat_map(table: Confusion) -> HeatMap:
    """Lay out a confusion matrix."""
    number = len(table.labels)
    cell = next((size for most, size in SIZES if number <= most), SMALL_CELL)
    names = [_short(label) for label in table.labels]
    edge = max((len(name) for name in names), default=1) * LETTER + 8
    side = number * cell
    cells = []
    for i, row in enumerate(table.counts):
        total = sum(row)
        for j, count in enumerate(row):
            if count:
                strength = FAINTEST + (1 - FAINTEST) * count / total
                cells.append(
                    Cell(
                        x=edge + j * cell,
                        y=edge + i * cell,
                        middle=(edge + (j + 0.5) * cell, edge + (i + 0.5) * cell + 4),
                        count=count,
                        strength=f"{strength:.2f}",
                        strong=strength > STRONG,
                        right=i == j,
                        truth=table.labels[i],
                        answered=table.labels[j],
                    )
                )
    middles = [edge + (n + 0.5) * cell for n in range(number)]
    return HeatMap(
        width=edge + side + 1,
        height=edge + side + 1,
        left=edge,
        top=edge,
        cell=cell,
        side=side,
        numbers=cell > SMALL_CELL,
        cells=cells,
        rows=_names(table.labels, names, [(edge - 6, y) for y in middles]),
        columns=_names(table.labels, names, [(x, edge - 6) for x in middles]),
    )


def reliability(bins: Sequence[Bin]) -> Reliability:
    """Lay out a reliability plot; a dot's area grows with its bin's claims."""
    most = max((b.claims for b in bins), default=1)
    dots = []
    for b in bins:
        height = max(1.0, (STRIP - 6) * b.claims / most)
        dots.append(
            Dot(
                x=round(PLOT * b.confidence, 1),
                y=round(PLOT * (1 - b.came_true), 1),
                radius=round(2.5 + 4 * (b.claims / most) ** 0.5, 1),
                bar_x=round(PLOT * b.low + 1, 1),
                bar_y=round(PLOT + STRIP - height, 1),
                bar_width=round(PLOT * (b.high - b.low) - 2, 1),
                bar_height=round(height, 1),
                bin=b,
            )
        )
    line = " ".join(f"{dot.x},{dot.y}" for dot in dots)
    return Reliability(PLOT, PLOT + STRIP, dots, line)


def least(lows: Sequence[float | None]) -> float:
    """Return where the whiskers' common scale starts: the next tenth below the least of them."""
    known = [low for low in lows if low is not None]
    return int(min(known) * 10) / 10 if known else 0.0


def whisker(
    value: float, low: float | None, high: float | None, champion: float | None, start: float
) -> Whisker:
    """Lay out one figure on the scale from `start` to 1."""

    def place(figure: float) -> float:
        return 100 * min(1.0, max(0.0, (figure - start) / (1 - start))) if start < 1 else 100.0

    left = place(value if low is None else low)
    right = place(value if high is None else high)
    return Whisker(
        low=f"{left:.1f}",
        length=f"{max(0.0, right - left):.1f}",
        at=f"{max(0.0, place(value) - 1):.1f}",
        champion=None if champion is None else f"{max(0.0, place(champion) - 0.5):.1f}",
    )


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LONGEST else f"{label[: LABEL_LONGEST - 1]}…"


def _names(
    labels: Sequence[str], short: Sequence[str], places: Sequence[tuple[float, float]]
) -> list[Name]:
    return [
        Name(x, y, text, whole) for (x, y), text, whole in zip(places, short, labels, strict=True)
    ]
