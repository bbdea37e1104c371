"""Rows in a real SQLite file that worker processes open too."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from console.runs.models import Run
from infra.settings import Settings


def _open(path: Path) -> None:
    """Let Django's connections, of every thread, open this file from now on."""
    connections["default"].close()
    connections.settings["default"]["NAME"] = str(path)
    connections["default"].settings_dict["NAME"] = str(path)


@pytest.fixture(scope="session")
def empty_database(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Path:
    """Return a migrated database file, to be copied."""
    path = tmp_path_factory.mktemp("database") / "console.sqlite3"
    before = connections.settings["default"]["NAME"]
    with django_db_blocker.unblock():
        _open(path)
        call_command("migrate", verbosity=0)
        with connections["default"].cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _open(before)
    return path


@pytest.fixture
def installation(
    tmp_path: Path, empty_database: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Settings]:
    """Return the settings of a fresh home, whose database Django opens in this test."""
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    shutil.copy(empty_database, home / "console.sqlite3")
    before = connections.settings["default"]["NAME"]
    with django_db_blocker.unblock():
        _open(home / "console.sqlite3")
        yield replace(Settings(), home=home, kafka="127.0.0.1:9", lease_s=2.0)
        _open(before)


@pytest.fixture
def queued(installation: Settings) -> Any:
    """Return a function that queues a run which plays the given lines."""

    def queue(*play: str, job: str = "train", **spec: Any) -> Run:
        run = uuid.uuid4()
        return Run.objects.create(
            pk=run,
            job=job,
            slot=str(run),
            spec={"play": list(play), "champion": None, **spec},
            by="operator",
        )

    return queue
