"""Figures of the servers beside us: the two Valkeys, the queues, the GPUs."""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

import redis

from infra import names

TIMEOUT_S = 1.0
GPU_QUERY = "name,utilization.gpu,memory.used,memory.total,temperature.gpu"


@dataclass(frozen=True)
class Valkey:
    """One server's INFO, as far as an operator needs it; `error` is empty where it answered."""

    name: str
    error: str = ""
    version: str = ""
    memory_bytes: int = 0
    limit_bytes: int = 0
    policy: str = ""
    keys: int = 0
    hits: int = 0
    misses: int = 0
    evicted: int = 0
    commands_per_s: int = 0
    clients: int = 0

    @property
    def full_share(self) -> float | None:
        """Return the used share of the memory's limit, None where it has none."""
        return self.memory_bytes / self.limit_bytes if self.limit_bytes else None

    @property
    def hit_share(self) -> float | None:
        """Return the share of the keys read that were there, since the server's start."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def _client(address: str) -> redis.Redis:
    return redis.Redis.from_url(address, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


def read_valkey(name: str, address: str) -> Valkey:
    """Ask one server."""
    try:
        info: dict[str, Any] = _client(address).info()
    except redis.RedisError as error:
        return Valkey(name, error=str(error))
    keys = sum(v["keys"] for k, v in info.items() if k.startswith("db") and isinstance(v, dict))
    return Valkey(
        name,
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        memory_bytes=int(info.get("used_memory", 0)),
        limit_bytes=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "")),
        keys=keys,
        hits=int(info.get("keyspace_hits", 0)),
        misses=int(info.get("keyspace_misses", 0)),
        evicted=int(info.get("evicted_keys", 0)),
        commands_per_s=int(info.get("instantaneous_ops_per_sec", 0)),
        clients=int(info.get("connected_clients", 0)),
    )


def queue_depths(tasks: str) -> list[tuple[str, int]] | None:
    """Return how many jobs wait in each queue, None where the tasks server does not answer."""
    queues = (names.QUEUE_HEADS, names.QUEUE_ENCODERS)
    try:
        client = _client(tasks)
        return [(queue, client.llen(queue)) for queue in queues]
    except redis.RedisError:
        return None


@dataclass(frozen=True)
class Gpu:
    """One GPU of this machine, as nvidia-smi tells."""

    name: str
    busy_percent: str
    memory_used_mib: str
    memory_total_mib: str
    celsius: str


@functools.cache
def _nvidia_smi() -> str | None:
    return shutil.which("nvidia-smi")


def gpus() -> list[Gpu]:
    """Return this machine's GPUs; none where there is no nvidia-smi."""
    program = _nvidia_smi()
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, f"--query-gpu={GPU_QUERY}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=3,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines()]
    return [Gpu(*row) for row in rows if len(row) == len(GPU_QUERY.split(","))]
