"""Django's own commands: `python -m console migrate`, `python -m console shell`."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    sys.argv[0] = "python -m console"
    execute_from_command_line(sys.argv)
