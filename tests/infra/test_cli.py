"""The command line: the fixed commands, their help, and errors in one line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import typer.main

from infra.cli import app
from tests.running import command

FIXED = (
    *("up", "status", "down", "doctor", "ingest", "tail", "ledger", "verify", "datasets", "train"),
    *("refit", "quantize", "evaluate", "explain", "replay", "redrive", "deploy", "rollback"),
    *("models", "runs", "encoders", "pretrain", "finetune", "compress"),
)
LATER = ("replay", "redrive")
group = typer.main.get_command(app)
COMMANDS: dict[str, Any] = group.commands  # type: ignore[attr-defined]  # typer says Command, it is a Group


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_command_exists(name: str) -> None:
    assert name in COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].help


@pytest.mark.parametrize("name", sorted(set(FIXED) - {*LATER, "up", "down"}))
def test_a_command_answers_in_json_and_for_a_home(name: str) -> None:
    options = {option for p in COMMANDS[name].params for option in p.opts}
    assert {"--json", "--home"} <= options


@pytest.mark.parametrize("name", LATER)
def test_what_comes_later_says_so_and_exits_2(name: str) -> None:
    answer = command(name, "something", "--fast")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"`wireroom {name}` comes with a later version\n"


def test_help_answers_at_once() -> None:
    command("--help")  # once to compile
    took_s = []
    for _ in range(3):
        began = time.monotonic()
        assert command("--help").returncode == 0
        took_s.append(time.monotonic() - began)
    assert min(took_s) < 1.0  # 0.35 s alone on the machine


@pytest.mark.parametrize(
    "arguments",
    [
        ("down",),
        ("ledger", "--json"),
        ("verify",),
        ("tail",),
        ("ingest", "-"),
        ("deploy", "topic", "1"),
        ("agents", "3"),
    ],
)
def test_where_nothing_runs_an_error_says_what_to_do(
    arguments: tuple[str, ...], home: Path
) -> None:
    answer = command(*arguments, "--home", str(home))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == f"error: nothing runs in {home}; start it with `wireroom up`\n"
    assert not home.exists()


def test_status_answers_where_nothing_runs(home: Path) -> None:
    answer = command("status", "--json", "--home", str(home))
    assert answer.returncode == 0
    assert json.loads(answer.stdout) == {
        "ready": False,
        "kafka": None,
        "redis": None,
        "tasks": None,
        "console": None,
        "processes": [],
    }


def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("WIREROOM_THREADS", "-1")
    answer = command("status", "--home", str(home))
    assert answer.returncode == 1
    assert answer.stderr == "error: WIREROOM_THREADS='-1': expected at least 0\n"


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("WIREROOM_ASSETS", str(home / "none"))
    answer = command("doctor", "--json", "--home", str(home))
    assert answer.returncode == 1
    levels = {found["check"]: found for found in json.loads(answer.stdout)}
    assert levels["kafka"]["level"] == "fail"
    assert levels["kafka"]["advice"] == "run `make setup`"
    assert levels["java"]["level"] == "ok"


def test_a_file_becomes_a_dataset_and_is_listed(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "news.csv"
    file.write_text("label,text,split\nx,油价,train\ny,b,train\nx,c,validation\ny,d,test\n")

    added = command(
        *("datasets", "add", str(file), "--name", "wire", "--language", "zh", "--json"),
        *("--home", str(home)),
    )
    listed = command("datasets", "--json", "--home", str(home))

    assert json.loads(added.stdout)["rows"] == {"train": 2, "validation": 1, "test": 1}
    [dataset] = json.loads(listed.stdout)
    assert dataset["id"] == json.loads(added.stdout)["dataset"]
    assert dataset["languages"] == ["zh"]


def test_the_home_may_stand_before_add(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "news.csv"
    file.write_text("label,text\nx\n")

    answer = command("datasets", "--home", str(home), "add", str(file), "--name", "wire")

    assert answer.returncode == 1
    assert answer.stderr == f"error: {file}: line 2: expected 2 columns\n"


def test_an_unknown_encoder_is_refused_with_those_there_are(home: Path) -> None:
    answer = command("encoders", "add", "bert-huge", "--home", str(home))

    assert answer.returncode == 1
    assert answer.stderr == "error: no encoder 'bert-huge'; there are minilm-l6, e5-small\n"
    assert command("encoders", "--json", "--home", str(home)).stdout == "[]\n"


def test_a_language_is_a_primary_tag(tmp_path: Path, home: Path) -> None:
    answer = command(
        *("datasets", "add", str(tmp_path / "a.csv"), "--name", "a", "--language", "zh-Hans"),
        *("--home", str(home)),
    )
    assert answer.stderr == "error: --language 'zh-Hans': expected a primary tag, e.g. en or zh\n"
