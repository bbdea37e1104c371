"""A running supervisor: it starts again what dies, and says how things stand."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from infra import names
from stream import kafka
from tests.running import SERVERS, Running, running, wait_until


@pytest.fixture(scope="module")
def servers(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("servers"), "--only", *SERVERS) as system:
        yield system


def test_status_has_the_fixed_form(servers: Running) -> None:
    answer = json.loads(servers.command("status", "--json").stdout)
    assert list(answer) == ["ready", "kafka", "redis", "tasks", "console", "processes"]
    assert answer["ready"] is True
    assert answer["kafka"] == servers.settings.kafka
    assert answer["redis"] == servers.settings.cache
    assert answer["tasks"] == servers.settings.tasks
    assert answer["console"].startswith("http://127.0.0.1:")
    fields = ["name", "role", "pid", "state", "since"]
    assert [list(process) for process in answer["processes"]] == [fields] * 3
    shown = [
        (process["name"], process["role"], process["state"]) for process in answer["processes"]
    ]
    assert shown == [(name, name, "ready") for name in SERVERS]


def test_a_second_up_in_the_same_home_names_the_first(servers: Running) -> None:
    answer = servers.command("up", "--detach")
    assert answer.returncode == 1
    assert f"(pid {servers.supervisor.pid})" in " ".join(answer.stderr.split())
    assert servers.state["ready"]


def test_killed_servers_are_started_again_and_their_data_is_there(servers: Running) -> None:
    before = {name: servers.kill(name) for name in SERVERS}
    wait_until(
        lambda: all(servers.process(name)["pid"] not in (None, before[name]) for name in before),
        10,
        "new processes",
    )
    servers.wait_ready(60)
    assert [servers.process(name)["restarts"] for name in SERVERS] == [1, 1, 1]
    assert kafka.partition_counts(servers.settings)[names.ARTICLES.name] == 8


def _has_another_pid(servers: Running, pid: int) -> bool:
    return servers.process("cache")["pid"] not in (None, pid)


def test_what_dies_again_and_again_waits_longer_each_time(servers: Running) -> None:
    for _ in range(4):
        pid = servers.process("cache")["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(partial(_has_another_pid, servers, pid), 20, "a restart")
    log = (servers.home / "test-supervisor.log").read_text()
    delays = [float(line.split()[-2]) for line in log.splitlines() if "cache ended" in line]
    assert delays[-2:] in ([1.0, 2.0], [2.0, 4.0])


def test_doctor_asks_the_running_servers(servers: Running) -> None:
    findings = json.loads(servers.command("doctor", "--json").stdout)
    levels = {found["check"]: found["level"] for found in findings}
    for check in ("broker", "topics", "cache", "tasks", "clock of broker", "clock of tasks"):
        assert levels[check] == "ok"
