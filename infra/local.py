"""The whole system on this machine: which processes, in which order, with which settings.

cache, tasks, broker      first
topics, deployment        steps: create what is missing; deploy the factory model where
                          nothing is deployed
setup                     the console's database and first user
engine, agents, worker, scheduler, history, console, feed
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from infra import broker, names, ports, valkey
from infra import settings as settings_file
from infra.child import Program
from infra.health import Health
from infra.home import Home
from infra.ports import HOST
from infra.settings import Settings
from infra.supervisor import Step, Supervisor
from ml import artifact, sealing
from stream import deployments, kafka

SERVER_STOP_S = 10.0
KAFKA_STOP_S = 30.0
AGENT_STOP_S = 20.0  # its running batch
WORKER_STOP_S = 15.0  # a job that runs longer is ended, and recorded so
log = logging.getLogger(__name__)


class StartError(RuntimeError):
    """The system cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """What `wireroom up` was asked for. `only` names roles; empty means all."""

    agents: int = 2
    feed: bool = True
    port: int | None = None
    only: tuple[str, ...] = ()

    @property
    def roles(self) -> frozenset[str]:
        chosen = frozenset(self.only or names.ROLES)
        return chosen if self.feed else chosen - {"feed"}


def run(
    settings: Settings, wanted: Wanted, on_change: Callable[[dict[str, Any]], None] | None = None
) -> str | None:
    """Run everything in this process until SIGTERM or SIGINT; return why it failed, or None.

    Raises AlreadyRunning, StartError, BrokerError.
    """
    home = Home(settings.home.resolve())
    home.make()
    with home.lock():
        home.want_agents(wanted.agents)
        if settings.encryption and sealing.find_ring(home.path) is None:
            sealing.save_ring(home.path, sealing.KeyRing("", {}).with_new_key())
        taken = artifact.install(settings.assets, home.path)
        log.info("artifacts taken from the assets: %s", ", ".join(taken) or "none")
        chosen = home.choose_ports(_console_port(settings, wanted, home))
        ours = _with_addresses(settings, home, chosen)
        supervisor = Supervisor(
            home,
            addresses(ours),
            _programs(ours, wanted, home, chosen),
            _steps(ours, wanted),
            Health(ours),
            _agent_program(ours) if "agent" in wanted.roles else None,
        )
        return supervisor.run(on_change)


def addresses(settings: Settings) -> dict[str, str]:
    """Return the addresses that `wireroom status` gives."""
    return {
        "kafka": settings.kafka,
        "redis": settings.cache,
        "tasks": settings.tasks,
        "console": f"http://{settings.console_host}:{settings.console_port}",
    }


def _console_port(settings: Settings, wanted: Wanted, home: Home) -> int | None:
    """Return the port the console must have, the one it had, or the usual one."""
    if wanted.port is not None and not ports.is_free(wanted.port):
        raise StartError(f"port {wanted.port} is taken; choose another with --port")
    if wanted.port is None and home.ports():
        return None
    return wanted.port or settings.console_port


def _with_addresses(settings: Settings, home: Home, chosen: dict[str, int]) -> Settings:
    return replace(
        settings,
        home=home.path,
        assets=settings.assets.resolve(),
        kafka=f"{HOST}:{chosen['kafka']}",
        cache=f"redis://{HOST}:{chosen['cache']}/0",
        tasks=f"redis://{HOST}:{chosen['tasks']}/0",
        console_port=chosen["console"],
        secret_key=home.login().secret_key,
    )


def _programs(
    settings: Settings, wanted: Wanted, home: Home, chosen: dict[str, int]
) -> list[Program]:
    """Return the programs of the wanted roles, in the order in which they are shown."""

    def python(role: str, *arguments: str, after: tuple[str, ...], stop_s: float = 10.0) -> Program:
        return _python(settings, role, role, arguments, after, stop_s)

    kafka_command: list[str] = []
    if "broker" in wanted.roles:
        folder = home.path / "kafka"
        jars = settings.assets / "kafka"
        kafka_command = broker.prepare(jars, folder, chosen["kafka"], chosen["controller"])
    celery = ("-m", "celery", "-A", "workers.app")
    serve = ("--host", settings.console_host, "--port", str(settings.console_port))
    data = ("topics", "broker", "setup")
    tasks_command = valkey.tasks_command(chosen["tasks"], home.path / "tasks")
    programs = [
        _server(home, "broker", kafka_command, KAFKA_STOP_S),
        _server(home, "cache", valkey.cache_command(chosen["cache"])),
        _server(home, "tasks", tasks_command),
        python("engine", "-m", "stream.engine_process", after=("tasks",)),
        *(_agent_program(settings)(n) for n in range(1, wanted.agents + 1)),
        python(
            "worker",
            *(*celery, "worker", "-l", "warning", "--without-gossip", "--without-mingle"),
            after=("tasks", "setup"),
            stop_s=WORKER_STOP_S,
        ),
        # No file with its number: the supervisor knows it, and a stale one would stop its start.
        python(
            "scheduler",
            *(*celery, "beat", "-l", "warning", "--pidfile", ""),
            after=("tasks", "setup"),
        ),
        python("history", "-m", "console.history", after=data),
        python(
            "console",
            *("-m", "uvicorn", "console.asgi:application", *serve),
            *("--log-level", "warning", "--timeout-graceful-shutdown", "2"),
            after=data,
        ),
        python("feed", "-m", "stream.feed", after=("agent-1", "engine", "console")),
    ]
    setup = replace(
        _python(settings, "setup", "setup", ("-m", "console.setup"), (), 10.0), once=True
    )
    chosen_programs = [program for program in programs if program.role in wanted.roles]
    if wanted.roles & {"worker", "scheduler", "history", "console"}:
        chosen_programs.append(setup)
    known = {program.name for program in chosen_programs} | {"topics", "deployment"}
    return [replace(program, after=program.after & known) for program in chosen_programs]


def _server(home: Home, name: str, command: list[str], stop_s: float = SERVER_STOP_S) -> Program:
    # Its environment says to whom it belongs; it needs none of the settings, nor the secret key.
    environ = {"WIREROOM_HOME": str(home.path), "WIREROOM_PROCESS": name}
    return Program(name, name, tuple(command), environ, stop_s=stop_s)


def _agent_program(settings: Settings) -> Callable[[int], Program]:
    def agent(number: int) -> Program:
        arguments = ("-m", "stream.app", "worker", "--without-web", "-l", "warn")
        name = f"agent-{number}"
        return _python(
            settings, name, "agent", arguments, ("deployment", "broker", "tasks"), AGENT_STOP_S
        )

    return agent


def _python(
    settings: Settings,
    name: str,
    role: str,
    arguments: tuple[str, ...],
    after: tuple[str, ...],
    stop_s: float,
) -> Program:
    environ = {**replace(settings, process=name).environ(), "PYTHONUNBUFFERED": "1"}
    command = (sys.executable, *arguments)
    return Program(name, role, command, environ, frozenset(after), stop_s)


def _steps(settings: Settings, wanted: Wanted) -> list[Step]:
    """Return what must be done once Kafka runs; a topic of the wrong form stops the start."""
    unavailable = (kafka.KafkaUnavailable,)

    def topics() -> None:
        make_topics(settings)

    def deployment() -> None:
        deploy_first(settings)

    after = frozenset({"broker"}) if "broker" in wanted.roles else frozenset[str]()
    steps = [Step("topics", after, topics, unavailable)]
    if "agent" in wanted.roles:
        steps.append(Step("deployment", frozenset({"topics"}), deployment, unavailable))
    return steps


def make_topics(settings: Settings) -> None:
    """Create every topic that is missing; raises kafka.TopicError, kafka.KafkaUnavailable."""
    kafka.ensure_topics(settings)
    _make_offsets_topic(settings)


def _make_offsets_topic(settings: Settings) -> None:
    """Let the broker make its own topic of offsets, which it does when a group is first asked for.

    On a broker without it confluent-kafka 2.16 crashes the process that lists a group's offsets
    with its AdminClient, as the ledger does; a consumer's question is answered.
    """
    reader = kafka.consumer(settings)
    try:
        place = TopicPartition(settings.topic(names.ARTICLES.name), 0)
        reader.committed([place], timeout=kafka.ANSWER_S)
    except KafkaException as error:
        raise kafka.KafkaUnavailable(f"no group coordinator: {error}") from error
    finally:
        reader.close()


def deploy_first(settings: Settings) -> None:
    """Deploy the newest model version of each classifier, where nothing was ever deployed.

    Later versions, and new classifiers, are an operator's to deploy. Raises StartError where there
    is neither a deployment nor a model.
    """
    if deployments.read(settings).current:
        return
    newest = {m.classifier: m.name for m in artifact.list_models(settings.home)}
    if not newest:
        raise StartError(
            f"no model in {settings.home / 'models'} nor in {settings.assets}: run `make setup`"
        )
    for classifier, model in newest.items():
        deployments.publish(
            settings, classifier, model, by="wireroom", why="first start", based_on=None
        )
        log.info("deployed %s", model)


def main() -> int:
    """Run the system as a background process: `python -m infra.local --home DIR ...`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--no-feed", action="store_true")
    parser.add_argument("--port", type=int)
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    wanted = Wanted(given.agents, not given.no_feed, given.port, tuple(given.only))
    try:
        failure = run(replace(settings_file.load(), home=given.home), wanted)
    except Exception as error:
        log.error("%s", error)
        return 1
    if failure:
        log.error("%s", failure)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
