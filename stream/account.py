"""The account of one partition: how many articles were read and what became of each.

It travels in the metadata of the committed offset, so offset and account change together, in the
transaction that holds the results: no crash can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra import names
from infra.settings import Settings
from stream import kafka

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
    """Return the account as it is committed beside an offset (Kafka allows 4,096 bytes)."""
    return msgspec.json.encode(account).decode()


def from_metadata(metadata: str | None) -> Account:
    """Read a committed account; an offset that nobody annotated has an empty one."""
    return msgspec.json.decode(metadata, type=Account) if metadata else Account()


def committed(settings: Settings, partitions: Iterable[int]) -> dict[int, tuple[int, Account]]:
    """Return the agents' offset and account of each partition; offset -1 where none is committed.

    Waits for open transactions to end. Raises kafka.KafkaUnavailable.
    """
    topic = settings.topic(names.ARTICLES.name)
    reader: Consumer = kafka.consumer(settings, group=settings.topic_prefix + names.CONSUMER_GROUP)
    try:
        answers = reader.committed(
            [TopicPartition(topic, p) for p in partitions], timeout=kafka.ANSWER_S
        )
    except KafkaException as error:
        raise kafka.KafkaUnavailable(f"committed offsets: {error}") from error
    finally:
        reader.close()
    found = {}
    for answer in answers:
        if answer.error:
            raise kafka.KafkaUnavailable(f"committed offset of {answer.partition}: {answer.error}")
        known = answer.offset >= 0
        account = from_metadata(answer.metadata) if known else Account()
        found[answer.partition] = (answer.offset if known else -1, account)
    return found
