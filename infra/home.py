"""The folder of one installation: where its state lies, and what is running from it.

kafka/ cache/ tasks/            the embedded servers' data
encoders/ datasets/ models/     artifacts; the first ones come from the assets
run/                            state.json, engine.sock, lock: of the running supervisor
logs/<process>.log              a file a process, bounded
ports.json secrets.json console.sqlite3
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import psutil

from infra import ports
from infra.settings import Settings

ARTIFACTS = ("encoders", "datasets", "models")
PORTS = ("kafka", "controller", "cache", "tasks", "console")
ADMIN = "admin"
START_TOLERANCE_S = 0.05  # the kernel counts a process's start in ticks of 10 ms


class NotRunning(RuntimeError):
    """No supervisor runs in this home."""


class AlreadyRunning(RuntimeError):
    """Another supervisor holds this home."""


@dataclass(frozen=True)
class Login:
    """The console's first user."""

    user: str
    password: str
    secret_key: str


@dataclass(frozen=True)
class Home:
    """One installation's folder, by absolute path."""

    path: Path

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def agents_file(self) -> Path:
        """Holds how many agents are wanted; the supervisor looks at it."""
        return self.run / "agents"

    def want_agents(self, count: int) -> None:
        """Tell the supervisor how many agents to run."""
        write_json(self.agents_file, count)

    def log(self, process: str) -> Path:
        """Return a process's log file."""
        return self.path / "logs" / f"{process}.log"

    def make(self) -> None:
        """Create the folders every start needs."""
        for folder in (self.run, self.path / "logs", *(self.path / name for name in ARTIFACTS)):
            folder.mkdir(parents=True, exist_ok=True)

    def lock(self) -> IO[str]:
        """Take the home for this process until the returned file closes; raises AlreadyRunning."""
        file = (self.run / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            file.close()
            raise AlreadyRunning(
                f"already running in {self.path} (pid {pid}); `wireroom down` stops it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def ports(self) -> dict[str, int]:
        """Return the ports of the last start by name; empty before the first."""
        file = self.path / "ports.json"
        kept: dict[str, int] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return kept

    def choose_ports(self, console: int | None = None) -> dict[str, int]:
        """Return this home's ports by name; the kept ones, save those that others took.

        `console` wants a certain port for the console. Raises OSError where none is free.
        """
        kept = self.ports()
        if console is not None:
            kept["console"] = console
        chosen: dict[str, int] = {}
        for name in PORTS:
            chosen[name] = ports.choose(kept.get(name), frozenset(chosen.values()))
        write_json(self.path / "ports.json", chosen)
        return chosen

    def login(self) -> Login:
        """Return the console's first user and secret key, made at the first call."""
        file = self.path / "secrets.json"
        if not file.exists():
            made = {
                "secret_key": secrets.token_urlsafe(48),
                "admin_password": secrets.token_urlsafe(9),
            }
            write_json(file, made, mode=0o600)
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Login(ADMIN, kept["admin_password"], kept["secret_key"])

    def state(self) -> dict[str, Any] | None:
        """Return what the supervisor last wrote, also if it has ended since; None: never ran."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:  # written by rename, so only a disk fault tears it
            return None
        return state

    def running(self) -> dict[str, Any]:
        """Return the state of the supervisor that runs now; raises NotRunning."""
        state = self.state()
        if state is None or not is_alive(state["supervisor"]):
            raise NotRunning(f"nothing runs in {self.path}; start it with `wireroom up`")
        return state


def connect(settings: Settings) -> Settings:
    """Return the settings with the addresses of what runs in their home.

    Where nothing runs there but Kafka's address was set, the settings are taken as they are: the
    system runs elsewhere, e.g. in containers. Raises NotRunning.
    """
    home = Home(settings.home.resolve())
    try:
        state = home.running()
    except NotRunning:
        if settings.kafka != Settings().kafka:
            return settings
        raise
    return replace(
        settings,
        home=home.path,
        kafka=state["kafka"],
        cache=state["redis"],
        tasks=state["tasks"],
        console_port=int(state["console"].rpartition(":")[2]),
        secret_key=home.login().secret_key,
    )


def is_alive(process: dict[str, Any]) -> bool:
    """Tell whether the process with this `pid` and `started` time runs; a later owner of its
    number is another process."""
    try:
        found = psutil.Process(process["pid"])
        same = abs(found.create_time() - process["started"]) <= START_TOLERANCE_S
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def write_json(path: Path, value: Any, mode: int = 0o644) -> None:
    """Replace a file's content atomically; it has `mode` from its first byte on."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
