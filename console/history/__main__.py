"""The history process: `python -m console.history [--rebuild]`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from django.conf import settings as django_settings  # noqa: E402 - Django must be set up before

from console.history import store, watch  # noqa: E402 - the same
from console.history.consume import History  # noqa: E402 - the same
from stream import heartbeat  # noqa: E402 - the same

JOIN_S = 8.0  # a round of readings waits this long for a broker that is away
log = logging.getLogger(__name__)


def main() -> None:
    """Follow the topics until SIGTERM."""
    parser = argparse.ArgumentParser(description="Write the console's projections of the topics.")
    parser.add_argument(
        "--rebuild", action="store_true", help="drop the projections and read everything again"
    )
    options = parser.parse_args()
    settings = django_settings.WIREROOM
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if options.rebuild:
        store.forget_everything()
        log.warning("the projections were dropped; reading everything again")
    history = History(settings, stopping)
    heartbeat.start(settings, "history", history.figures)
    threads = watch.start(settings, history, stopping)
    history.run()
    for thread in threads:
        thread.join(JOIN_S)


if __name__ == "__main__":
    main()
