"""Tell whether this host's process works: `python -m infra.probe ROLE`, for health checks.

Exit status 0 where a process of that role on this host has reported itself ready in the last 15 s;
for the console it must also answer a request. In a container the host is the container.
"""

from __future__ import annotations

import http.client
import socket
import sys

import redis

from infra.settings import Settings, load
from stream import heartbeat

ANSWER_S = 3.0


def trouble(settings: Settings, role: str) -> str | None:
    """Return what is wrong with this host's process of `role`, or None."""
    try:
        reports = heartbeat.read_all(settings)
    except redis.RedisError as error:
        return f"no reports from {settings.tasks}: {error}"
    host = socket.gethostname()
    ours = [r for r in reports if r["host"] == host and r["role"] == role]
    if not ours:
        return f"no {role} of {host} has reported"
    if states := [r["state"] for r in ours if r["state"] != "ready"]:
        return f"{role} of {host} is {states[0]}"
    return _silence(settings) if role == "console" else None


def _silence(settings: Settings) -> str | None:
    """Return how the console fails to answer, or None; any answer will do."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.console_port, timeout=ANSWER_S)
    try:
        connection.request("HEAD", "/login/")
        connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return f"the console does not answer: {error}"
    finally:
        connection.close()
    return None


def main() -> int:
    """Print the trouble and return 1, or return 0."""
    if len(sys.argv) != 2:
        print("usage: python -m infra.probe ROLE", file=sys.stderr)
        return 2
    if found := trouble(load(), sys.argv[1]):
        print(found, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
