"""What a job says while it runs: JSON lines, at least one a second."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, BinaryIO

import msgspec

PERIOD_S = 1.0  # a reader may take silence of several periods for a hang
LEAST_GAP_S = 0.1  # between two progress lines of one stage


class Report:
    """Writes events to `stream`; a thread repeats the last progress while nothing new is said."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._progress: dict[str, Any] = {"stage": "start", "done": 0, "total": 0}
        self._at = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="report", daemon=True)
        self._thread.start()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Say how far a stage is; calls in quick succession are thinned, its end never."""
        fresh = stage != self._progress["stage"] or done >= total
        self._progress = {"stage": stage, "done": done, "total": total}
        if fresh or time.monotonic() - self._at >= LEAST_GAP_S:
            self._write({"event": "progress", **self._progress})

    def metric(self, name: str, value: float) -> None:
        """Say one figure."""
        self._write({"event": "metric", "name": name, "value": value})

    def log(self, text: str) -> None:
        """Say one line for a person."""
        self._write({"event": "log", "text": text})

    def end(self, event: dict[str, Any]) -> None:
        """Write the last line, after which nothing follows."""
        self._ended.set()
        self._thread.join()
        self._write(event)

    def _repeat(self) -> None:
        while not self._ended.wait(PERIOD_S / 2):
            if time.monotonic() - self._at >= PERIOD_S / 2:
                try:
                    self._write({"event": "progress", **self._progress})
                except OSError:  # nobody listens any more: whoever started the job is gone
                    os._exit(1)

    def _write(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._stream.write(msgspec.json.encode(event) + b"\n")
            self._stream.flush()
            self._at = time.monotonic()
