"""The console as an ASGI application: `python -m uvicorn console.asgi:application --lifespan off`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
application = get_asgi_application()

from django.conf import settings  # noqa: E402 - Django must be set up before

from stream import heartbeat  # noqa: E402 - the same

heartbeat.start(settings.WIREROOM, "console", lambda: {"ready": True})
