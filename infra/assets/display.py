"""How the making of assets shows: progress bars on a terminal, else a line a step."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class AssetError(Exception):
    """An asset that could not be fetched or made; the message says what to do."""


class Display:
    """A context manager that shows steps; any thread may call it."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._terminal = self._progress.console.is_terminal
        self._progress.disable = not self._terminal
        self._steps: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, name: str, done: float, total: float | None, state: str = "") -> None:
        """Show how far a step is; `total` None where that is not known."""
        with self._lock:
            if name not in self._steps:
                self._steps[name] = self._progress.add_task(name, total=total, state=state)
                if not self._terminal and done < (total or 1):
                    self._progress.console.print(f"{name} ...")
            self._progress.update(self._steps[name], completed=done, total=total, state=state)

    def end(self, name: str, state: str) -> None:
        """Show a step as done."""
        self.step(name, 1, 1, state)
        if not self._terminal:
            self._progress.console.print(f"{name}: {state}")

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text)
