"""The engine: what agents ask for vectors, and the router in front of its worker processes.

Light on purpose: every encoder loads, computes and ends in processes of its own (engine_worker), so
that their memory goes with them and the death of a runtime is nobody else's. This process passes
frames on, a thread for each connection; its main thread starts and ends the workers.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import msgspec

from infra.settings import Settings, load
from stream import engine_wire, heartbeat, standby
from stream.engine_pool import Limits
from stream.engine_router import Router

BROKEN = 70  # exit status; the supervisor starts a fresh router
log = logging.getLogger(__name__)


def _serve(listener: socket.socket, router: Router) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve_one, args=(connection, router), daemon=True).start()


def _serve_one(connection: socket.socket, router: Router) -> None:
    with connection:
        try:
            while (request := engine_wire.receive_frame(connection)) is not None:
                connection.sendall(router.forward(request))
        except (OSError, msgspec.DecodeError) as error:
            log.info("a connection ended: %s", error)


def _listen(address: str) -> socket.socket:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o600)
    else:
        listener = socket.create_server(engine_wire.tcp_address(address))
    listener.listen(64)
    return listener


def main(settings: Settings, worker: str = "stream.engine_worker") -> None:
    """Run the engine until it is told to stop; `worker` is the module of its workers.

    Raises OSError where it cannot listen.
    """
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # agents repeat what was under way
    limits = Limits(
        engines=settings.engines,
        idle_s=settings.engine_idle_s,
        memory_bytes=settings.engine_memory_mb * 2**20,
        standby_after_s=standby.after_s(settings),
    )

    def find_twin(encoder: str) -> str | None:
        return standby.find_twin(settings.home, encoder)

    router = Router((sys.executable, "-m", worker), settings.home / "run", limits, find_twin)
    listener = _listen(settings.engine_address)
    threading.Thread(target=_serve, args=(listener, router), daemon=True).start()
    heartbeat.start(settings, "engine", router.figures)
    try:
        router.keep()
    except Exception:
        log.exception("the engine ends itself")
    os._exit(BROKEN)


if __name__ == "__main__":
    main(load())
