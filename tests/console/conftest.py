"""A console of its own for each test: an empty home, an operator, no server unless asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from infra.settings import Settings

NOBODY = "127.0.0.1:9"  # the discard port: refuses at once


@pytest.fixture(autouse=True)
def offline(settings: Any, home: Path) -> Settings:
    """Settings of an installation none of whose servers runs."""
    home.mkdir()
    alone = replace(
        Settings(),
        home=home,
        kafka=NOBODY,
        cache=f"redis://{NOBODY}/0",
        tasks=f"redis://{NOBODY}/1",
    )
    settings.WIREROOM = alone
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ALLOWED_HOSTS = ["testserver"]
    return alone


@pytest.fixture
def operator(db: None) -> Client:
    """A browser that has logged in."""
    client = Client()
    client.force_login(User.objects.create_user("operator", password="a long password"))
    return client
