from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from infra import ports, valkey
from infra.settings import Settings
from tests.workers.plays import wait_for
from workers.app import UnsafeSetup, check, configure

THREADS = "celery.concurrency.thread"


def test_messages_stay_invisible_for_longer_than_any_task_runs() -> None:
    settings = replace(Settings(), task_limit_s=7200)

    assert configure(settings)["broker_transport_options"]["visibility_timeout"] == 7800


def test_a_shorter_visibility_timeout_is_refused() -> None:
    configuration = {"broker_transport_options": {"visibility_timeout": 3600}}

    with pytest.raises(
        UnsafeSetup, match="visibility_timeout=3600 s is not above WIREROOM_TASK_LIMIT_S"
    ):
        check(Settings(), configuration, THREADS)


def test_a_tasks_server_that_may_evict_is_refused(tmp_path: Path) -> None:
    port = ports.choose()
    settings = replace(Settings(), tasks=f"redis://127.0.0.1:{port}/0")
    with subprocess.Popen(valkey.cache_command(port), cwd=tmp_path) as server:
        wait_for(lambda: ports.answers(port), 10)
        with pytest.raises(UnsafeSetup, match="maxmemory-policy is allkeys-lru"):
            check(settings, configure(settings), THREADS)
        server.terminate()


def test_degraded_results_are_looked_for_as_often_as_is_set() -> None:
    settings = replace(Settings(), rescore_every_s=7.0)

    assert configure(settings)["beat_schedule"]["rescore"] == {
        "task": "wireroom.rescore",
        "schedule": 7.0,
        "options": {"expire_seconds": 7.0},
    }
