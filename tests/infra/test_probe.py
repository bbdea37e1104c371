from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra import ports, valkey
from infra.probe import trouble
from infra.settings import Settings
from stream import heartbeat
from tests.workers.plays import wait_for


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    port = ports.choose()
    with subprocess.Popen(valkey.tasks_command(port, tmp_path)) as server:
        wait_for(lambda: ports.answers(port), 10)
        yield replace(Settings(), tasks=f"redis://127.0.0.1:{port}/0", console_port=ports.choose())
        server.terminate()


def report(settings: Settings, role: str, **figures: Any) -> None:
    client = heartbeat.connect(settings)
    heartbeat.report(client, settings, psutil.Process(), role, role, figures)
    client.close()


def test_a_process_is_well_once_it_says_that_it_is_ready(settings: Settings) -> None:
    assert str(trouble(settings, "agent")).startswith("no agent of ")
    report(settings, "engine")
    report(settings, "agent", ready=False)
    assert str(trouble(settings, "agent")).endswith(" is starting")
    report(settings, "agent", ready=True)
    assert trouble(settings, "agent") is None


def test_another_hosts_process_is_not_ours(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(settings, "agent", ready=True)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")

    assert trouble(settings, "agent") == "no agent of elsewhere has reported"


def test_a_console_must_answer_too(settings: Settings) -> None:
    report(settings, "console", ready=True)

    assert str(trouble(settings, "console")).startswith("the console does not answer: ")


def test_without_the_tasks_server_nothing_is_known() -> None:
    nowhere = replace(Settings(), tasks="redis://127.0.0.1:9/0")

    assert str(trouble(nowhere, "agent")).startswith("no reports from redis://127.0.0.1:9/0: ")
