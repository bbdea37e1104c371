"""What the pipeline sends: results, tombstones, dead letters and held articles as Kafka messages.

An output goes to the partition that its input came from, so a uri has one order everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from infra import names
from ml.messages import Article, Classification, InvalidArticle, encode, timestamp
from stream import dead_letters
from stream.dead_letters import Headers

SOURCE = "/wireroom"
TYPE = "wireroom.classification.v1"


@dataclass(frozen=True)
class Record:
    """One message of the input topic as Kafka holds it; `timestamp_s` is seconds since 1970."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)
    timestamp_s: float | None = None


@dataclass(frozen=True)
class Output:
    """One message to send in the transaction of `partition`, to that partition of `topic`."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_s: float | None = None
    is_result: bool = False


class Outputs:
    """Writes the messages of one environment, whose topics begin with `topic_prefix`."""

    def __init__(self, topic_prefix: str) -> None:
        self._articles = topic_prefix + names.ARTICLES.name
        self._classifications = topic_prefix + names.CLASSIFICATIONS.name
        self._dead_letters = topic_prefix + names.DEADLETTERS.name
        self._held = topic_prefix + names.HELD.name

    def result(self, record: Record, article: Article, result: Classification) -> Output:
        """Return the answer to `article`, which came as `record`."""
        headers = _event(result.event_id, result.classified_at, record)
        if article.created:
            headers.append((names.CREATED_HEADER, timestamp(article.created).encode()))
        key, value = article.uri.encode(), encode(result)
        return Output(self._classifications, record.partition, key, value, headers, is_result=True)

    def tombstone(self, record: Record, uri: str, now: str) -> Output:
        """Return the null value that says downstream that `uri` was killed."""
        headers = [*_event(f"{uri}/killed", now, record), _origin(record)]
        key = uri.encode()
        return Output(self._classifications, record.partition, key, None, headers, is_result=True)

    def dead_letter(self, record: Record, error: InvalidArticle) -> Output:
        """Return `record` unchanged, with the reason why it is no article."""
        headers = dead_letters.headers(
            record.headers,
            topic=self._articles,
            partition=record.partition,
            offset=record.offset,
            exception=type(error).__name__,
            message=str(error),
        )
        return self._unchanged(self._dead_letters, record, record.key, headers)

    def held(self, record: Record, article: Article) -> Output:
        """Return `record` unchanged, to be kept until the article may be answered."""
        headers = [*record.headers, _origin(record)]
        return self._unchanged(self._held, record, article.uri.encode(), headers)

    def _unchanged(self, topic: str, record: Record, key: bytes | None, headers: Headers) -> Output:
        return Output(topic, record.partition, key, record.value, headers, record.timestamp_s)


def _event(event_id: str, now: str, record: Record) -> Headers:
    """Return CloudEvents 1.0 in binary mode, and the producer's trace carried through."""
    ours = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": SOURCE,
        "ce_type": TYPE,
        "ce_time": now,
        "content-type": "application/json",
    }
    headers = [(key, value.encode()) for key, value in ours.items()]
    return headers + [(k, v) for k, v in record.headers if k == names.TRACE_HEADER]


def _origin(record: Record) -> tuple[str, bytes]:
    return names.ORIGIN_HEADER, f"{record.partition}/{record.offset}".encode()
