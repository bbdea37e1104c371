from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import ROOT, Settings
from tests.workers.plays import PLAY_JOB, PROGRESS, RESULT, SUCCESS
from workers.runner import execute

FOREGROUND = f"""
import dataclasses, json, pathlib, signal, sys
from infra.settings import Settings
from workers.runner import execute
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
home, *play = sys.argv[1:]
settings = dataclasses.replace(Settings(), home=pathlib.Path(home), kafka="127.0.0.1:9")
spec = {{"job": "train", "dataset": "r8", "play": play}}
told = lambda event: print(json.dumps(event), flush=True)
print(json.dumps(dataclasses.asdict(execute(settings, spec, "maria", told, command={PLAY_JOB!r}))))
"""


def foreground(home: Path, *play: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FOREGROUND, str(home), *play]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def row(home: Path) -> tuple[Any, ...]:
    with sqlite3.connect(home / "console.sqlite3") as database:
        (only,) = database.execute("SELECT job, state, stage, by FROM runs_run").fetchall()
    database.close()
    return tuple(only)


def test_a_job_runs_in_the_foreground_with_nothing_but_a_new_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with foreground(home, PROGRESS, SUCCESS) as process:
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout]

    assert lines[:2] == [json.loads(PROGRESS), RESULT]
    outcome = lines[2]
    assert (outcome["state"], outcome["result"]) == ("succeeded", RESULT)
    assert outcome["log_path"] == str(home / "runs" / outcome["run"] / "log")
    specification = json.loads((home / "runs" / outcome["run"] / "spec.json").read_text())
    assert specification["champion"] is None
    assert row(home) == ("train", "succeeded", "encode", "maria")


def test_ctrl_c_ends_the_job_and_leaves_a_cancelled_run(tmp_path: Path) -> None:
    with foreground(tmp_path, PROGRESS, "sleep 600") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()

    assert process.returncode == -signal.SIGINT
    assert row(tmp_path)[:2] == ("train", "cancelled")


def test_an_unknown_job_is_refused() -> None:
    with pytest.raises(ValueError, match="job 'dance': expected one of train, refit, quantize"):
        execute(Settings(), {"job": "dance"}, "maria", print)
