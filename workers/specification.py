"""What a job is told: the request, completed with what serves and with this installation's limits.

The job itself knows neither Kafka nor our settings, so what it compares with is looked up here.
"""

from __future__ import annotations

import socket
from typing import Any

from infra.settings import Settings
from stream import deployments

CLASSIFIER = "topic"  # the one classifier of a fresh installation
REACH_S = 1.0
ON_WHAT_SERVES = ("refit", "quantize")  # jobs that start from the champion


class NothingServes(RuntimeError):
    """A job that starts from the champion, and a classifier that has none."""


def complete(settings: Settings, run: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the full specification of `asked` (see ml.jobs.specification).

    The champion decides what is left out: a periodic job gives neither dataset nor encoder. Raises
    NothingServes or kafka.KafkaUnavailable where such a job lacks the champion that it starts
    from; other jobs go on without one and are compared with nothing.
    """
    full = {
        "classifier": CLASSIFIER,
        **asked,
        "home": str(settings.home.resolve()),
        "run": run,
        "margin": settings.gate_margin,
        "runtime": settings.runtime,
        "precision": settings.precision,
        "threads": settings.threads,
    }
    if "champion" not in full:
        full["champion"] = _champion(settings, full["classifier"], full["job"])
    return full


def _champion(settings: Settings, classifier: str, job: str) -> str | None:
    needed = job in ON_WHAT_SERVES
    if not needed and not _reachable(settings.kafka):
        return None
    champion = deployments.read(settings).champions.get(classifier)
    if champion is None and needed:
        raise NothingServes(f"{job} starts from the champion of {classifier}, and none is deployed")
    return champion


def _reachable(servers: str) -> bool:
    """Tell whether any broker listens, sooner than a Kafka client would."""
    for server in servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host, int(port)), REACH_S).close()
        except OSError:
            continue
        return True
    return False
