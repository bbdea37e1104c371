"""The account of one partition: how many articles were read and what became of each.

It travels in the metadata of the committed offset, so offset and account change together, in the
transaction that holds the results: no crash can tell them apart.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Literal

import msgspec
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from infra import names
from infra.settings import Settings
from stream import kafka

UNSTABLE = KafkaError.UNSTABLE_OFFSET_COMMIT
UNSTABLE_S = 0.02  # a commit takes some 5 ms

Outcome = Literal["first", "revision", "deadletter", "kill", "duplicate", "held"]


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """Articles of one partition by outcome, since the partition's beginning."""

    first: int = 0
    revision: int = 0
    deadletter: int = 0
    kill: int = 0
    duplicate: int = 0
    held: int = 0

    @property
    def inputs(self) -> int:
        """Every article that was read."""
        outcomes = (self.first, self.revision, self.deadletter)
        return sum(outcomes) + self.kill + self.duplicate + self.held

    def __add__(self, other: Account) -> Account:
        return Account(*(getattr(self, f) + getattr(other, f) for f in self.__struct_fields__))


def count(outcomes: Iterable[Outcome]) -> Account:
    """Return the account of some articles."""
    totals: dict[str, int] = {}
    for outcome in outcomes:
        totals[outcome] = totals.get(outcome, 0) + 1
    return Account(**totals)


def to_metadata(account: Account) -> str:
    """Return the account as it is committed beside an offset (Kafka allows 4,096 bytes).

    confluent-kafka 2.16 reads metadata as a C string and past its end, but it also writes the NUL
    that ends it.
    """
    return msgspec.json.encode(account).decode()


def from_metadata(metadata: str | None) -> Account:
    """Read a committed account; an offset that nobody annotated has an empty one.

    What follows the JSON is ignored (see `to_metadata`).
    """
    if not metadata:
        return Account()
    fields, _ = json.JSONDecoder().raw_decode(metadata)
    return msgspec.convert(fields, Account)


def group(settings: Settings) -> str:
    """Return the agents' consumer group, which is their Faust app's id too."""
    return settings.topic_prefix + names.CONSUMER_GROUP


def committed(settings: Settings, partitions: Iterable[int]) -> dict[int, tuple[int, Account]]:
    """Return the agents' offset and account of each partition; offset -1 where none is committed.

    Waits for open transactions to end: a broker does not tell an offset while a transaction that
    moves it is being committed. Raises kafka.KafkaUnavailable.
    """
    topic = settings.topic(names.ARTICLES.name)
    client = kafka.admin(settings)
    left = [TopicPartition(topic, p) for p in partitions]
    found: dict[int, tuple[int, Account]] = {}
    deadline = time.monotonic() + kafka.ANSWER_S
    while left:
        unstable = []
        for place in _ask(client, group(settings), left):
            if place.error is None:
                known = place.offset >= 0
                account = from_metadata(place.metadata) if known else Account()
                found[place.partition] = (place.offset if known else -1, account)
            elif place.error.code() == UNSTABLE and time.monotonic() < deadline:
                unstable.append(TopicPartition(topic, place.partition))
            else:
                raise kafka.KafkaUnavailable(
                    f"committed offset of {place.partition}: {place.error}"
                )
        if left := unstable:
            time.sleep(UNSTABLE_S)
    return found


def _ask(client: AdminClient, group_id: str, wanted: list[TopicPartition]) -> list[TopicPartition]:
    answers = client.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group_id, wanted)],
        require_stable=True,
        request_timeout=kafka.ANSWER_S,
    )
    try:
        return list(answers[group_id].result(kafka.ANSWER_S + 1).topic_partitions or [])
    except (KafkaException, TimeoutError) as error:
        raise kafka.KafkaUnavailable(f"committed offsets: {error}") from error
