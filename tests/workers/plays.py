"""What the test job is told to say."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

PLAY_JOB = (sys.executable, str(Path(__file__).with_name("play_job.py")))

RESULT: dict[str, Any] = {
    "event": "result",
    "model": "topic@2+ab12",
    "encoder": None,
    "unchanged": False,
    "deployable": True,
    "reasons": [],
    "metrics": {"accuracy": 0.964},
}
PROGRESS = json.dumps({"event": "progress", "stage": "encode", "done": 120, "total": 7674})
ACCURACY = json.dumps({"event": "metric", "name": "accuracy", "value": 0.964})
SUCCESS = json.dumps(RESULT)
UNCHANGED = json.dumps(RESULT | {"unchanged": True, "model": "topic@1+9f3c"})
WORSE = "accuracy 0.950 is 0.014 below the champion's 0.964; the margin is 0.005"
REFUSED = json.dumps(RESULT | {"deployable": False, "reasons": [WORSE]})


def wait_for(what: Callable[[], T], within_s: float) -> T:
    """Return the first true answer of `what`; fails after `within_s`."""
    until = time.monotonic() + within_s
    while not (answer := what()):
        assert time.monotonic() < until, f"not within {within_s} s: {what}"
        time.sleep(0.05)
    return answer


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
