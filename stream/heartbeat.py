"""Every process says every two seconds that it lives, what it uses and what it does.

The reports lie in the tasks server with a time to live: a process that stops reporting is gone
from there after 15 s. Losing them loses nothing.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import redis
from prometheus_client import start_http_server

from infra import names
from infra.settings import Settings

EVERY_S = 2.0
TIMEOUT_S = 1.0
Figures = Callable[[], dict[str, Any]]
log = logging.getLogger(__name__)


def start(settings: Settings, role: str, figures: Figures | None = None) -> threading.Thread:
    """Report this process from a daemon thread until it ends.

    `figures` gives what the role measures, e.g. `{"ready": True, "articles_per_s": 212.0}`; it is
    called from that thread. A tasks server that does not answer is tried again. Where a metrics
    port is set, the process's Prometheus endpoint opens too; raises OSError where it is taken.
    """
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.metrics_host)
    thread = threading.Thread(
        target=_report_for_ever, args=(settings, role, figures), name="heartbeat", daemon=True
    )
    thread.start()
    return thread


def _report_for_ever(settings: Settings, role: str, figures: Figures | None) -> None:
    process = psutil.Process()
    client = connect(settings)
    while True:
        try:
            report(client, settings, process, settings.process, role, figures() if figures else {})
        except redis.RedisError:
            pass  # the console shows the process lost; the work goes on
        except Exception:
            log.exception("the heartbeat of %s failed", settings.process)
        time.sleep(EVERY_S)


def connect(settings: Settings) -> redis.Redis:
    """Return a client of the tasks server that gives up soon."""
    return redis.Redis.from_url(
        settings.tasks, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )


def report(
    client: redis.Redis,
    settings: Settings,
    process: psutil.Process,
    name: str,
    role: str,
    figures: dict[str, Any],
) -> None:
    """Report one process, once; raises redis.RedisError, psutil.NoSuchProcess.

    Pass the same `process` object each time: its CPU share is measured since the last call.
    """
    host = socket.gethostname()
    with process.oneshot():
        value = {
            "name": name,
            "role": role,
            "host": host,
            "pid": process.pid,
            "state": "ready" if figures.get("ready", True) else "starting",
            "since": process.create_time(),
            "cpu_percent": process.cpu_percent(),
            "rss_bytes": process.memory_info().rss,
            "at": time.time(),
            "figures": figures,
        }
    client.set(
        names.heartbeat_key(settings.topic_prefix, host, name),
        json.dumps(value),
        ex=names.HEARTBEAT_TTL_S,
    )


def read_all(settings: Settings) -> list[dict[str, Any]]:
    """Return the latest report of every process that lives, by name; raises redis.RedisError."""
    client = connect(settings)
    pattern = names.HEARTBEAT_PATTERN.format(prefix=settings.topic_prefix)
    keys = sorted(client.scan_iter(match=pattern, count=500))
    values = client.mget(keys) if keys else []
    return sorted((json.loads(value) for value in values if value), key=lambda r: r["name"])


def clear(settings: Settings, name: str) -> None:
    """Forget a process of this host that has ended on purpose."""
    key = names.heartbeat_key(settings.topic_prefix, socket.gethostname(), name)
    connect(settings).delete(key)
