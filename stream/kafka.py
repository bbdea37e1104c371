"""Kafka from outside the agents: topics, producers, consumers, reading a topic to its end.

The agents use aiokafka through Faust; everything else uses confluent-kafka through this file.
Every producer partitions by murmur2, as Java, aiokafka and Faust do: librdkafka's own default puts
most keys on another partition.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from infra import names
from infra.settings import Settings

ANSWER_S = 15.0  # seconds a broker may take to answer a request
SETTLED_S = 30.0  # above the time after which a broker aborts what a dead agent left open
LOOK_S = 0.02
POLL_S = 0.05  # `consume` waits this long for a full batch, so an end is seen this late
CONSUME_AT_ONCE = 2_000


class TopicError(RuntimeError):
    """A topic that exists but not as we need it; no start can mend it."""


class KafkaUnavailable(RuntimeError):
    """The brokers did not answer in time."""


def _config(settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka,
        "client.id": settings.process,
        "log_level": 3,  # errors; a broker that restarts is no news to a client that retries
        "reconnect.backoff.max.ms": 1_000,
        "broker.address.family": "v4",
    }


def producer(settings: Settings, **extra: Any) -> Producer:
    """Return an idempotent producer; `extra` is librdkafka configuration."""
    return Producer(
        {
            **_config(settings),
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": names.MAX_MESSAGE_OUT,
            "compression.type": "lz4",
            "linger.ms": 5,
            **extra,
        }
    )


def consumer(settings: Settings, group: str | None = None, **extra: Any) -> Consumer:
    """Return a read_committed consumer; without `group` it never commits: assign it by hand."""
    return Consumer(
        {
            **_config(settings),
            "group.id": group or f"{names.CONSUMER_GROUP}-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": names.MAX_MESSAGE_OUT,
            "fetch.max.bytes": 4 * names.MAX_MESSAGE_OUT,
            "receive.message.max.bytes": 5 * names.MAX_MESSAGE_OUT,
            "queued.max.messages.kbytes": 32 * 1024,
            **extra,
        }
    )


def admin(settings: Settings) -> AdminClient:
    """Return a client for topics, groups and offsets."""
    return AdminClient(_config(settings))


def partition_counts(settings: Settings) -> dict[str, int]:
    """Return every topic's number of partitions; raises KafkaUnavailable."""
    try:
        topics = admin(settings).list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka at {settings.kafka} does not answer: {error}") from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def ensure_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises TopicError where one has another number of partitions (every order would break), or
    takes smaller messages than we send; KafkaUnavailable where no broker answers, or not yet.
    """
    existing = partition_counts(settings)
    missing = []
    for topic in names.TOPICS:
        name = settings.topic(topic.name)
        got = existing.get(name)
        if got is None:
            missing.append(
                NewTopic(
                    name,
                    num_partitions=topic.partitions,
                    config={
                        "retention.ms": str(topic.retention_ms),
                        "max.message.bytes": str(names.MAX_MESSAGE_OUT),
                        "message.timestamp.type": "CreateTime",
                    },
                )
            )
        elif got != topic.partitions:
            raise TopicError(f"topic {name}: expected {topic.partitions} partitions, got {got}")
    client = admin(settings)
    for name, future in client.create_topics(missing).items() if missing else ():
        try:
            future.result(ANSWER_S)
        except KafkaException as error:
            raise TopicError(f"topic {name} could not be created: {error}") from error
    _check_sizes(client, [settings.topic(topic.name) for topic in names.TOPICS])
    return [topic.topic for topic in missing]


def _check_sizes(client: AdminClient, topics: list[str]) -> None:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    for resource, future in client.describe_configs(resources).items():
        try:
            got = int(future.result(ANSWER_S)["max.message.bytes"].value)
        except KafkaException as error:
            # A broker under load may not know yet the topic it has just created.
            raise KafkaUnavailable(f"sizes of topic {resource.name}: {error}") from error
        if got < names.MAX_MESSAGE_OUT:
            raise TopicError(
                f"topic {resource.name}: max.message.bytes is {got}, expected at least "
                f"{names.MAX_MESSAGE_OUT}; a large dead letter could not be written"
            )


def bounds(
    reader: Consumer, topic: str, partitions: int = names.PARTITIONS
) -> dict[int, tuple[int, int]]:
    """Return each partition's first offset and last stable offset (what read_committed reaches).

    Raises KafkaUnavailable.
    """
    try:
        return {
            p: reader.get_watermark_offsets(TopicPartition(topic, p), timeout=ANSWER_S)
            for p in range(partitions)
        }
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not answer for {topic}: {error}") from error


def wait_until_settled(settings: Settings, topic: str, partitions: Iterable[int]) -> None:
    """Wait until every transaction that has written to these partitions by now has ended.

    Before that, `read_to_end` does not reach what is being committed. Raises KafkaUnavailable.
    """
    client = admin(settings)
    wanted = [TopicPartition(topic, p) for p in partitions]
    written = _ends(client, wanted, IsolationLevel.READ_UNCOMMITTED)
    deadline = time.monotonic() + SETTLED_S
    while True:
        stable = _ends(client, wanted, IsolationLevel.READ_COMMITTED)
        open_ = [p for p in written if stable[p] < written[p]]
        if not open_:
            return
        if time.monotonic() > deadline:
            raise KafkaUnavailable(f"{topic}: a transaction stays open in partitions {open_}")
        time.sleep(LOOK_S)


def _ends(
    client: AdminClient, wanted: list[TopicPartition], isolation: IsolationLevel
) -> dict[int, int]:
    latest = {place: OffsetSpec.latest() for place in wanted}  # type: ignore[no-untyped-call]  # confluent-kafka leaves it untyped
    answers = client.list_offsets(latest, isolation_level=isolation, request_timeout=ANSWER_S)
    try:
        return {p.partition: answer.result(ANSWER_S + 1).offset for p, answer in answers.items()}
    except (KafkaException, TimeoutError) as error:
        raise KafkaUnavailable(f"the ends of {wanted[0].topic}: {error}") from error


def read_to_end(
    settings: Settings,
    topic: str,
    *,
    start: Mapping[int, int] | None = None,
    partitions: int = names.PARTITIONS,
) -> Iterator[Message]:
    """Yield the topic's committed messages from `start` (offset a partition; else the first).

    Ends at the last stable offsets as they were at the call. With `start`, only its partitions
    are read. Raises KafkaUnavailable where the broker stays silent.
    """
    reader = consumer(settings)
    try:
        span = bounds(reader, topic, partitions)
        wanted = range(partitions) if start is None else start
        left: dict[int, int] = {}
        assignment = []
        for p in wanted:
            low, high = span[p]
            first = max(low, (start or {}).get(p, low))
            if first < high:
                left[p] = high
                assignment.append(TopicPartition(topic, p, first))
        if not assignment:
            return
        reader.assign(assignment)
        deadline = time.monotonic() + ANSWER_S
        while left:
            for message in reader.consume(CONSUME_AT_ONCE, POLL_S):
                if error := message.error():
                    raise KafkaUnavailable(f"reading {topic}: {error}")
                deadline = time.monotonic() + ANSWER_S
                if place(message)[1] < left.get(place(message)[0], 0):
                    yield message
            # A transaction's marker takes an offset and yields no message: ask for the position.
            for position in reader.position(list(map(_at(topic), left))):
                if position.offset >= left[position.partition]:
                    del left[position.partition]
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"reading {topic}: nothing came for {ANSWER_S:.0f} s")
    finally:
        reader.close()


def _at(topic: str) -> Any:
    return lambda partition: TopicPartition(topic, partition)


def place(message: Message) -> tuple[int, int]:
    """Return the partition and offset of a message that was read; their types allow None."""
    return message.partition() or 0, message.offset() or 0


def header(message: Message, name: str) -> str | None:
    """Return the last value of a message's header as text, None where there is none."""
    pairs: list[tuple[str, str | bytes | None]] = list(message.headers() or [])  # type: ignore[arg-type]  # typed as a union of pairs and dict
    values = [value for key, value in pairs if key == name]
    if not values or values[-1] is None:
        return None
    last = values[-1]
    return last if isinstance(last, str) else last.decode("utf-8", "replace")
