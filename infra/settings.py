"""Settings: read once from the environment, typed, frozen; a wrong value stops the start.

Every process calls `load()` at its start and passes on what others need. Nothing else in the
project reads the environment. Each setting is `WIREROOM_` and its name in capitals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

PREFIX = "WIREROOM_"
ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET = "development-only-never-in-production"  # noqa: S105 - refused in production


class SettingError(ValueError):
    """A setting whose value cannot be used; the message names the key and the value."""


def setting(default: Any, meaning: str, *, at_least: float | None = None) -> Any:
    """Declare a setting with its default, what it means, and its lower bound where it has one."""
    metadata = {"meaning": meaning, "at_least": at_least}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, in groups; times in seconds or milliseconds as the name says."""

    environment: Literal["development", "production"] = setting(
        "development", "production refuses unsafe values"
    )
    home: Path = setting(lambda: Path(".wireroom"), "folder of all state on this machine")
    assets: Path = setting(
        lambda: ROOT / ".assets", "folder of what `make setup` fetched: Kafka, encoder, corpora"
    )
    process: str = setting("wireroom", "this process's stable name, e.g. agent-1")

    kafka: str = setting("127.0.0.1:9092", "bootstrap servers, host:port[,host:port]")
    topic_prefix: str = setting("", "put before every topic name, e.g. 'staging.'")
    cache: str = setting("redis://127.0.0.1:6379/0", "Redis that may evict: embeddings")
    tasks: str = setting("redis://127.0.0.1:6380/0", "Redis that must not evict: ledger, tasks")
    database: str = setting("", "the console's database address; empty: SQLite in the home folder")

    engine: str = setting("", "unix:/path or tcp://host:port; empty: a socket in the home folder")
    runtime: Literal["auto", "openvino", "tensorflow"] = setting("auto", "what runs the encoder")
    precision: Literal["auto", "f32", "bf16"] = setting("auto", "auto: bf16 where the CPU has it")
    threads: int = setting(0, "threads of the engine; 0: what the cgroup allows", at_least=0)
    engines: int = setting(1, "engine processes of each encoder, e.g. one a GPU", at_least=1)
    engine_idle_s: float = setting(
        60.0, "an encoder that nobody asks for is unloaded after this long", at_least=1.0
    )
    engine_memory_mb: int = setting(
        3072, "an engine process above this is replaced by a fresh one", at_least=64
    )
    standby_after_s: float = setting(
        -1.0,
        "an encoder away for this long is stood in for by its int8 twin, results are marked "
        "degraded; 0: never; -1: 10 beside a GPU, else never",
        at_least=-1.0,
    )
    token_budget: int = setting(1024, "tokens of one encoder batch, padding included", at_least=64)

    batch_articles: int = setting(256, "articles an agent takes at once, at most", at_least=1)
    batch_bytes: int = setting(
        65_536, "bytes of articles an agent takes at once: half a second on 2 cores", at_least=1
    )
    batch_wait_ms: int = setting(
        30, "how long articles gather before an agent reads them; 0: each as it comes", at_least=0
    )
    cache_timeout_ms: int = setting(100, "how long an agent waits for the cache", at_least=1)
    near_duplicates: bool = setting(
        False, "a text nearly the same as an earlier one takes its embedding, where measured"
    )
    stall_s: float = setting(
        120.0, "an agent with lag that commits nothing for this long ends itself", at_least=1.0
    )
    session_timeout_s: float = setting(6.0, "Kafka session timeout of an agent", at_least=6.0)

    console_host: str = setting("127.0.0.1", "address the console listens on")
    console_port: int = setting(8000, "port the console listens on", at_least=1)
    allowed_hosts: str = setting("127.0.0.1,localhost", "host names the console answers to")
    secret_key: str = setting(DEVELOPMENT_SECRET, "signs sessions; at least 32 characters")
    debug: bool = setting(False, "Django's debug pages; refused in production")

    refit_every_s: float = setting(86_400.0, "period of the head's refit", at_least=10.0)
    quantize_every_s: float = setting(604_800.0, "period of the quantization", at_least=10.0)
    rescore_every_s: float = setting(
        30.0, "how often degraded results are looked for, to be answered again", at_least=1.0
    )
    alert_lag: int = setting(10_000, "articles of lag that raise an alert", at_least=1)
    alert_dead_letters: int = setting(
        20, "dead letters within a minute that raise an alert", at_least=1
    )
    gate_margin: float = setting(
        0.005, "accuracy a candidate may lie below what serves and still be deployable", at_least=0
    )
    task_limit_s: int = setting(3600, "a job is killed after this long", at_least=10)
    encryption: bool = setting(
        False, "seal vectors, datasets and artifacts at rest; keys.json is made at the first start"
    )
    keep_runs_s: float = setting(
        7_776_000.0, "runs that ended longer ago are deleted by the retention job", at_least=3600.0
    )
    job_memory_mb: int = setting(
        0, "a job whose processes take more together is killed; 0: no limit", at_least=0
    )
    explainer_idle_s: float = setting(
        300.0, "a worker's explainer (600 MB) that nobody asks ends after this long", at_least=1.0
    )
    lease_s: float = setting(
        15.0, "a run whose worker has written nothing for this long is taken over", at_least=2.0
    )

    feed_rate: float = setting(5.0, "articles a second of the demonstration feed", at_least=0.01)
    metrics_host: str = setting("127.0.0.1", "address of the process's Prometheus endpoint")
    metrics_port: int = setting(0, "port of the process's Prometheus endpoint; 0: none", at_least=0)
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "least level logged")

    def topic(self, name: str) -> str:
        """Return a topic's name in this environment."""
        return self.topic_prefix + name

    @property
    def engine_address(self) -> str:
        return self.engine or f"unix:{self.home.resolve()}/run/engine.sock"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.home.resolve()}/console.sqlite3"

    def environ(self) -> dict[str, str]:
        """Return these settings as environment variables, for a child process."""
        return {PREFIX + f.name.upper(): _text(getattr(self, f.name)) for f in fields(self)}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises SettingError naming the key and the value that cannot be used."""
    source = os.environ if environ is None else environ
    types = get_type_hints(Settings)
    known = {PREFIX + f.name.upper(): f for f in fields(Settings)}
    if unknown := sorted(k for k in source if k.startswith(PREFIX) and k not in known):
        raise SettingError(f"{unknown[0]} is no setting; known are {', '.join(sorted(known))}")
    values = {
        f.name: _parse(key, source[key], types[f.name], f.metadata["at_least"])
        for key, f in known.items()
        if key in source
    }
    settings = Settings(**values)
    _check(settings)
    return settings


def _parse(key: str, text: str, kind: Any, at_least: float | None) -> Any:
    try:
        if get_origin(kind) is Literal:
            if text not in get_args(kind):
                raise SettingError(f"{key}={text!r}: expected one of {', '.join(get_args(kind))}")
            return text
        if kind is bool:
            if text.lower() not in ("0", "1", "true", "false"):
                raise SettingError(f"{key}={text!r}: expected true or false")
            return text.lower() in ("1", "true")
        value = kind(text)
    except (ValueError, OverflowError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{key}={text!r}: expected {kind.__name__}") from error
    if at_least is not None and not value >= at_least:
        raise SettingError(f"{key}={text!r}: expected at least {at_least}")
    return value


def _check(settings: Settings) -> None:
    """Refuse what single values cannot show: addresses, and combinations unsafe in production."""
    for name in ("cache", "tasks"):
        address = getattr(settings, name)
        if urlsplit(address).scheme not in ("redis", "rediss", "unix"):
            raise SettingError(f"{PREFIX}{name.upper()}={address!r}: expected redis://host:port/0")
    if settings.cache == settings.tasks:
        raise SettingError(
            f"{PREFIX}TASKS={settings.tasks!r} is the cache too: the cache may evict, tasks must not"
        )
    for server in settings.kafka.split(","):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise SettingError(f"{PREFIX}KAFKA={settings.kafka!r}: expected host:port[,host:port]")
    if not settings.engine_address.startswith(("unix:", "tcp://")):
        raise SettingError(
            f"{PREFIX}ENGINE={settings.engine!r}: expected unix:/path or tcp://host:port"
        )
    if settings.environment == "production":
        if settings.debug:
            raise SettingError(f"{PREFIX}DEBUG=true is refused in production")
        if settings.secret_key == DEVELOPMENT_SECRET or len(settings.secret_key) < 32:
            raise SettingError(
                f"{PREFIX}SECRET_KEY: production needs one of its own, 32 characters"
            )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
