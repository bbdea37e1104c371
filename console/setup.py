"""Prepare the console's database: `python -m console.setup`, at every start.

Migrates, and sets the password of `admin` to the one in `secrets.json` of the home folder, which
it writes where nobody else has. Running it twice does no harm.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

ADMIN = "admin"


def read_secrets(home: Path) -> dict[str, str]:
    """Return `admin_password` and `secret_key`, made up on the first call."""
    file = home / "secrets.json"
    home.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        found: dict[str, str] = json.loads(file.read_text())
        return found
    made = {"admin_password": secrets.token_urlsafe(12), "secret_key": secrets.token_urlsafe(48)}
    with os.fdopen(descriptor, "w") as stream:
        json.dump(made, stream)
    return made


def set_admin(password: str) -> None:
    """Make the account `admin`, or give it this password where it has another."""
    users = get_user_model().objects
    user, made = users.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True}
    )
    if made or not user.check_password(password):
        user.set_password(password)
        user.save()


def main() -> None:
    """Prepare the database of this installation."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    password = read_secrets(settings.WIREROOM.home)["admin_password"]
    call_command("migrate", interactive=False, verbosity=0)
    set_admin(password)


if __name__ == "__main__":
    main()
