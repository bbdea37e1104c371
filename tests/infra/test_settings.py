"""Settings: a wrong value stops the start and is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings import SettingError, Settings, load


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("WIREROOM_BATCH_ARTICLES", "many", "WIREROOM_BATCH_ARTICLES='many': expected int"),
        ("WIREROOM_BATCH_ARTICLES", "0", "WIREROOM_BATCH_ARTICLES='0': expected at least 1"),
        ("WIREROOM_STALL_S", "nan", "WIREROOM_STALL_S='nan': expected at least 1.0"),
        ("WIREROOM_PRECISION", "f16", "WIREROOM_PRECISION='f16': expected one of auto, f32, bf16"),
        ("WIREROOM_DEBUG", "maybe", "WIREROOM_DEBUG='maybe': expected true or false"),
        ("WIREROOM_CACHE", "localhost:1", "WIREROOM_CACHE='localhost:1': expected redis://"),
        ("WIREROOM_KAFKA", "broker", "WIREROOM_KAFKA='broker': expected host:port"),
        ("WIREROOM_ENGINE", "here", "WIREROOM_ENGINE='here': expected unix:/path or tcp://"),
        ("WIREROOM_TASKS", "redis://127.0.0.1:6379/0", "is the cache too"),
        ("WIREROOM_HOMES", "/tmp", "WIREROOM_HOMES is no setting; known are WIREROOM_"),
    ],
)
def test_a_wrong_value_is_refused_by_key_and_value(key: str, value: str, says: str) -> None:
    with pytest.raises(SettingError) as refused:
        load({key: value})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({}, "WIREROOM_SECRET_KEY"),
        ({"WIREROOM_SECRET_KEY": "short"}, "WIREROOM_SECRET_KEY"),
        ({"WIREROOM_SECRET_KEY": "k" * 32, "WIREROOM_DEBUG": "1"}, "WIREROOM_DEBUG"),
    ],
)
def test_production_refuses_what_is_unsafe(environ: dict[str, str], key: str) -> None:
    with pytest.raises(SettingError, match=key):
        load({"WIREROOM_ENVIRONMENT": "production", **environ})


def test_settings_survive_the_way_to_a_child_process() -> None:
    settings = Settings(home=Path("/srv/wire"), process="agent-1", debug=True, threads=3)
    assert load(settings.environ()) == settings


def test_what_is_not_ours_is_left_alone() -> None:
    assert load({"PATH": "/bin", "WIRE": "x"}) == Settings()
