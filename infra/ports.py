"""Free ports of this machine, chosen once and kept, so that addresses survive a restart."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below the ephemeral range (32768 and up): a client that retries a dead server's port from there
# can connect to itself and keep the server from binding it again.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int, host: str = HOST) -> bool:
    """Tell whether a server could listen there; one still in TIME_WAIT counts as free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def choose(wanted: int | None = None, taken: frozenset[int] = frozenset()) -> int:
    """Return `wanted` where it is free, else a free port not in `taken`; raises OSError."""
    if wanted is not None and wanted not in taken and is_free(wanted):
        return wanted
    for port in random.sample(range(LOWEST, HIGHEST), 200):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} on {HOST}")


def answers(port: int, host: str = HOST, timeout_s: float = 1.0) -> bool:
    """Tell whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False
