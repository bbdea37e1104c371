"""Ending the endless: a server that stops waits for its open responses, so those must know."""

from __future__ import annotations

import functools
import signal
import threading
from types import FrameType

stopping = threading.Event()
"""Set as soon as the process is asked to stop."""


@functools.cache  # one handler, however many streams
def notice() -> None:
    """Take notice of SIGTERM and SIGINT, and pass them on to the server's own handler.

    To be called from a request: before the first one the server may not have set its handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # handlers can be set there alone; a test's server lives elsewhere
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(received: int, frame: FrameType | None, before: object = before) -> None:
            stopping.set()
            if callable(before):
                before(received, frame)

        if callable(before):
            signal.signal(number, handle)
