"""What `python -m console.setup` leaves behind."""

from __future__ import annotations

import stat
from pathlib import Path

from django.contrib.auth import authenticate
from django.contrib.auth.models import User

from console.setup import read_secrets, set_admin


def test_secrets_are_made_once_and_readable_by_the_owner_alone(home: Path) -> None:
    first = read_secrets(home)
    assert read_secrets(home) == first
    assert set(first) == {"admin_password", "secret_key"}
    assert stat.S_IMODE((home / "secrets.json").stat().st_mode) == 0o600


def test_the_admin_gets_the_password_of_the_secrets(db: None) -> None:
    set_admin("first password")
    set_admin("second password")
    assert User.objects.count() == 1
    assert authenticate(username="admin", password="second password") is not None
    assert authenticate(username="admin", password="first password") is None
