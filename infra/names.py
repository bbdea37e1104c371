"""The names that every process must agree on: topics, Redis keys, tasks, queues.

No behaviour lives here beyond building a key. Topic names carry the environment's prefix, so that
two installations can share a broker.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
FOR_EVER = -1

PARTITIONS = 8
"""Partitions of every topic keyed by `uri`, fixed at creation: one partition is one order."""

MAX_MESSAGE_IN = 16 * 1024 * 1024
"""Bytes a producer may send."""

MAX_MESSAGE_OUT = 17 * 1024 * 1024
"""Bytes of the largest message we write: a dead letter is an input plus its reason."""

CONSUMER_GROUP = "wireroom"
"""The agents' consumer group; Faust's app id, and the prefix of its transactional ids."""

RESCORING_GROUP = "wireroom-rescoring"
"""The group whose offsets say up to which results degraded ones were answered again."""


@dataclass(frozen=True)
class Topic:
    """A topic as it is created. `retention_ms` is -1 where the topic is kept for ever."""

    name: str
    partitions: int
    retention_ms: int
    meaning: str


ARTICLES = Topic("wire.articles.v1", PARTITIONS, 7 * DAY_MS, "articles in, key uri")
CLASSIFICATIONS = Topic("wire.classifications.v1", PARTITIONS, 7 * DAY_MS, "results, key uri")
DEADLETTERS = Topic("wire.deadletters.v1", PARTITIONS, 30 * DAY_MS, "what could not be read")
SHADOWS = Topic("wire.shadows.v1", PARTITIONS, 7 * DAY_MS, "answers of versions that do not serve")
HELD = Topic("wire.held.v1", PARTITIONS, 400 * DAY_MS, "embargoed articles until their time")
CORRECTIONS = Topic(
    "wire.corrections.v1", PARTITIONS, FOR_EVER, "statements that a result is wrong"
)
DEPLOYMENTS = Topic("wire.deployments.v1", 1, FOR_EVER, "what runs; the history is the truth")
ALERTS = Topic("wire.alerts.v1", 1, 30 * DAY_MS, "raised and resolved alerts")

TOPICS = (
    ARTICLES,
    CLASSIFICATIONS,
    DEADLETTERS,
    SHADOWS,
    HELD,
    CORRECTIONS,
    DEPLOYMENTS,
    ALERTS,
)

# Headers that we set. Kafka Streams' names for dead letters, CloudEvents 1.0 for results.
ERROR_HEADER = "__streams.errors."
REASON_HEADER = "wire-reason"
"""On an article: why it is published again."""
RESCORE = "rescore"
"""A reason: its result is degraded, and the encoder is back."""
TRACE_HEADER = "traceparent"
ORIGIN_HEADER = "wire-origin"
"""partition/offset of the input, where the value has no room for it: tombstones, held articles."""
CREATED_HEADER = "wire-created"
"""On a result: the article's own order among the versions of its uri, ISO 8601."""

ROLES = (
    "broker",
    "cache",
    "tasks",
    "engine",
    "agent",
    "worker",
    "scheduler",
    "history",
    "console",
    "feed",
)
"""What a process can be, in the order of an article's way."""

# Redis: the cache (may be lost at any time).
EMBEDDING_TTL_S = 30 * 24 * 60 * 60


def embedding_key(fingerprint: str, digest: str) -> str:
    """Key of one embedding: what computed it (weights, tokenizer, length, precision), of which text."""
    return f"wire:embedding:{fingerprint}:{digest}"


def near_signature_key(fingerprint: str, digest: str) -> str:
    """Key of what an encoded text is compared by with texts nearly the same."""
    return f"wire:near:{fingerprint}:{digest}"


def near_band_key(fingerprint: str, place: int, band: str) -> str:
    """Key of the latest text with this band at this place of its signature."""
    return f"wire:near-band:{fingerprint}:{place}:{band}"


# Redis: the tasks server (kept, never evicted).
LEDGER_TTL_S = 7 * 24 * 60 * 60
HEARTBEAT_TTL_S = 15


def ledger_key(prefix: str, uri: str) -> str:
    """Key of what has become of one uri."""
    return f"wire:{prefix}ledger:{uri}"


def ledger_position_key(prefix: str, partition: int) -> str:
    """Key of the result offset up to which a partition's ledger entries are written."""
    return f"wire:{prefix}ledger-position:{partition}"


def heartbeat_key(prefix: str, host: str, process: str) -> str:
    """Key of a process's latest report; it expires when the process stops reporting."""
    return f"wire:{prefix}process:{host}:{process}"


HEARTBEAT_PATTERN = "wire:{prefix}process:*"

# Questions to the explainer and their answers.
EXPLANATION_TTL_S = 120  # long enough to be read; the text of a killed article is gone as soon
EXPLANATION_FAILURE_TTL_S = 5


def explain_queue(prefix: str) -> str:
    """Key of the list of questions that no worker has taken yet."""
    return f"wire:{prefix}explain"


def explanation_key(prefix: str, question: str) -> str:
    """Key of the answer to a question; empty while a worker has it."""
    return f"wire:{prefix}explanation:{question}"


# Celery.
QUEUE_HEADS = "heads"
QUEUE_ENCODERS = "encoders"
TASK_RUN = "wireroom.run"
TASK_SCHEDULED = "wireroom.scheduled"
TASK_RESCORE = "wireroom.rescore"


ENCODER_JOBS = frozenset(("pretrain", "finetune", "compress"))
"""Jobs that train an encoder, with checkpoints: one that is started again goes on."""


RETENTION = "retention"
"""The one job that a worker does itself: it looks at the database and at what is deployed."""


def scheduled_name(job: str) -> str:
    """Return the name of a job's entry in the schedule."""
    return f"wireroom.{job}"


def queue_of(job: str) -> str:
    """Return the queue of a job: those that rebuild an encoder run for minutes, a head's do not."""
    return QUEUE_ENCODERS if job == "quantize" or job in ENCODER_JOBS else QUEUE_HEADS
