"""The supervisor with real servers: up, down, up again, and what kills leave behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import redis

from infra import names
from infra.home import is_alive
from stream import kafka
from tests.running import SERVERS, command, running, start, stop, wait_until

ONLY = ("--only", *SERVERS)


def alive(processes: list[dict[str, Any]]) -> list[str]:
    """Return the names of those that still run."""
    return [process["name"] for process in processes if is_alive(process)]


def test_up_after_down_keeps_data_ports_and_login(assets: Path, tmp_path: Path) -> None:
    home = tmp_path
    with running(home, *ONLY) as first:
        settings = first.settings
        producer = kafka.producer(settings)
        producer.produce(names.ALERTS.name, key=b"rule", value=b"kept")
        assert producer.flush(10) == 0
        with redis.Redis.from_url(settings.tasks) as tasks:
            tasks.set("kept", "too")
        login = (home / "secrets.json").read_text()
        assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
        processes = first.state["processes"]
    assert alive(processes) == []
    with running(home, *ONLY) as second:
        assert second.settings == settings
        messages = kafka.read_to_end(second.settings, names.ALERTS.name, partitions=1)
        assert [message.value() for message in messages] == [b"kept"]
        with redis.Redis.from_url(second.settings.tasks) as tasks:
            assert tasks.get("kept") == b"too"
        assert (home / "secrets.json").read_text() == login


def test_a_killed_supervisor_leaves_no_process_and_up_goes_on(assets: Path, tmp_path: Path) -> None:
    system = start(tmp_path, *ONLY)
    processes = system.state["processes"]
    assert alive(processes) == list(SERVERS)
    system.supervisor.kill()
    system.supervisor.wait()
    wait_until(lambda: not alive(processes), 5, "all children gone")
    answer = command("status", "--json", "--home", str(tmp_path))
    assert json.loads(answer.stdout)["ready"] is False
    with running(tmp_path, *ONLY) as again:
        assert again.settings == system.settings
        assert kafka.partition_counts(again.settings)[names.ARTICLES.name] == 8


def test_a_stopped_supervisor_exits_in_good_order(assets: Path, tmp_path: Path) -> None:
    system = start(tmp_path, *ONLY)
    processes = system.state["processes"]
    assert stop(system.supervisor) == 0
    assert alive(processes) == []
    assert system.command("down").returncode == 1  # nothing runs any more
