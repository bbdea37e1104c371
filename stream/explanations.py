"""Asking why an article was classified so, and answering: by lists on the tasks server.

Whoever asks needs neither TensorFlow nor an address: a question goes into a list, one worker takes
it, and its answer lies under the question's own name for two minutes. The same question asked twice
is one question. What is lost with the server is asked again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from typing import Any, cast

import msgspec
import redis

from infra import names
from infra.settings import Settings
from ml.messages import Article, decode_article
from stream import kafka

TAKEN_S = 120  # within which an answer must come, start of the explainer included
LOOK_S = 0.1
LONGEST_BODY = 100_000  # characters; no encoder reads as far


class NotExplained(RuntimeError):
    """A question without an answer; the message says why."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Why does `model` give this article its label, or `label`?

    The article is the one at `partition` and `offset` of the input topic, else `title` and `body`.
    """

    model: str
    partition: int | None = None
    offset: int = 0
    title: str = ""
    body: str = ""
    label: str | None = None

    @property
    def id(self) -> str:
        """The same for the same question."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()


def connect(settings: Settings) -> redis.Redis:
    """Return a client of the tasks server that waits longer than `take` does."""
    return redis.Redis.from_url(settings.tasks, socket_timeout=5, socket_connect_timeout=2)


def ask(client: redis.Redis, prefix: str, question: Question) -> str:
    """Put a question into the list, unless it is there or answered; return its id."""
    key = names.explanation_key(prefix, question.id)
    if client.set(key, b"", nx=True, ex=TAKEN_S):
        client.rpush(names.explain_queue(prefix), msgspec.json.encode(question))
    return question.id


def look(client: redis.Redis, prefix: str, question: str) -> dict[str, Any] | None:
    """Return the answer to a question by its id, None while there is none.

    Raises NotExplained where there will be none.
    """
    value = cast("bytes | None", client.get(names.explanation_key(prefix, question)))
    if value is None:
        raise NotExplained("no worker has answered; see on Cluster whether one runs, and ask again")
    if not value:
        return None
    answer: dict[str, Any] = json.loads(value)
    if answer["event"] == "error":
        raise NotExplained(answer["text"])
    return answer


def wait(
    client: redis.Redis, prefix: str, question: str, most_s: float = TAKEN_S
) -> dict[str, Any]:
    """Return the answer to a question as soon as it is there; raises NotExplained."""
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        if answer := look(client, prefix, question):
            return answer
        time.sleep(LOOK_S)
    raise NotExplained(f"no answer within {most_s:.0f} s")


def take(client: redis.Redis, prefix: str, wait_s: int = 1) -> Question | None:
    """Take the oldest question, waiting for one; None where none came, or it is no question."""
    found = cast("tuple[bytes, bytes] | None", client.blpop([names.explain_queue(prefix)], wait_s))
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=Question)
    except msgspec.MsgspecError:
        return None


def give(client: redis.Redis, prefix: str, question: Question, answer: dict[str, Any]) -> None:
    """Put down the answer; a failure is forgotten soon, so that one can ask again."""
    failed = answer["event"] == "error"
    client.set(
        names.explanation_key(prefix, question.id),
        json.dumps(answer),
        ex=names.EXPLANATION_FAILURE_TTL_S if failed else names.EXPLANATION_TTL_S,
    )


def read(settings: Settings, question: Question) -> tuple[str, str]:
    """Return the title and the body that a question is about.

    Raises NotExplained where the topic no longer holds the article, kafka.KafkaUnavailable.
    """
    if question.partition is None:
        return question.title, question.body[:LONGEST_BODY]
    article = _article(settings, question.partition, question.offset)
    return article.title, article.body[:LONGEST_BODY]


def _article(settings: Settings, partition: int, offset: int) -> Article:
    topic = settings.topic(names.ARTICLES.name)
    messages = kafka.read_to_end(settings, topic, start={partition: offset})
    for message in itertools.islice(messages, 1):
        value = message.value()
        if kafka.place(message) == (partition, offset) and value is not None:
            return decode_article(value if isinstance(value, bytes) else value.encode())
    raise NotExplained(f"the input topic holds no article at {partition}/{offset} any more")
