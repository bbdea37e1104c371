from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import ROOT
from tests.workers.plays import PLAY_JOB, alive, wait_for
from workers.child import LONGEST_LINE, Child


def play(folder: Path, *lines: str) -> list[dict[str, Any]]:
    """Run a job to its end and return its events."""
    events = []
    with Child(PLAY_JOB, {"play": lines}, folder) as child:
        while not child.ended:
            events += child.read(0.1)
        return events + child.drain()


def test_events_are_told_from_what_else_a_job_prints(tmp_path: Path) -> None:
    lines = ["hello", '{"event": "log", "text": "café"}', "[1]", '{"event": 3}', '{"no": "event"}']

    events = play(tmp_path, *lines)

    assert events == [{"event": "log", "text": "café"}]
    assert (tmp_path / "log").read_text() == "\n".join(["hello", "café", *lines[2:]]) + "\n"


def test_a_line_without_an_end_is_no_event_and_fills_no_memory(tmp_path: Path) -> None:
    events = play(tmp_path, "x" * (3 * LONGEST_LINE), '{"event": "log", "text": "after"}')

    assert [event["text"] for event in events] == ["after"]
    assert (tmp_path / "log").stat().st_size > 3 * LONGEST_LINE


def test_a_job_sees_none_of_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREROOM_SECRET_KEY", "a secret of at least 32 characters")

    assert play(tmp_path, "environment") == [{"event": "log", "text": "sees []"}]


def test_a_job_gives_way_to_the_stream(tmp_path: Path) -> None:
    with Child(PLAY_JOB, {"play": ["sleep 600"]}, tmp_path) as child:
        wait_for(lambda: os.getpriority(os.PRIO_PROCESS, child.pid) == 10, 3)


def test_a_job_that_never_reads_is_no_error(tmp_path: Path) -> None:
    with Child((sys.executable, "-c", ""), {"play": ["x" * 1_000_000]}, tmp_path) as child:
        wait_for(lambda: child.ended, 3)
        assert child.kill() == 0


def test_a_job_does_not_outlive_a_killed_worker(tmp_path: Path) -> None:
    worker = f"""
import sys, time
from pathlib import Path
from workers.child import Child
child = Child({PLAY_JOB!r}, {{"play": ["ignore", "sleep 600"]}}, Path({str(tmp_path)!r}))
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", worker], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        job = int(process.stdout.readline())
        wait_for(lambda: os.getpriority(os.PRIO_PROCESS, job) == 10, 3)
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not alive(job), 2)


def test_the_specification_arrives_whole(tmp_path: Path) -> None:
    (event,) = play(tmp_path, "spec", "x" * 200_000)

    assert json.loads(event["text"]) == {"play": ["spec", "x" * 200_000]}
