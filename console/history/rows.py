"""From messages to rows: what each topic's message becomes, without a database.

A message that cannot be read is left out and logged: it stands in Kafka, and the pages show what
is known. Nothing here may stop the history.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from console.history.models import (
    Answer,
    Article,
    DeadLetter,
    Kill,
    Result,
    Tick,
    place,
)
from console.history.words import words
from infra.names import ERROR_HEADER, REASON_HEADER
from ml.messages import Classification, InvalidArticle, decode_article, decode_classification

BODY_SHOWN = 20_000  # characters; whole bodies of a week are Kafka's to keep
VALUE_SHOWN = 16 * 1024
KEY_SHOWN = 2_048
HEADERS_SHOWN = 40
HEADER_SHOWN = 500
TITLE_SHOWN = 5_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """One message as Kafka holds it."""

    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)

    @property
    def place(self) -> int:
        return place(self.partition, self.offset)

    def header(self, name: str) -> str:
        """Return a header's last value as text, empty where there is none."""
        values = [value for key, value in self.headers if key == name]
        return _clean((values[-1] or b"").decode("utf-8", "replace")) if values else ""


@dataclass
class Rows:
    """What a batch of messages becomes. `killed` are uris whose text and results must go."""

    articles: list[Article] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    killed: dict[str, Kill] = field(default_factory=dict)
    ticks: dict[datetime, Tick] = field(default_factory=dict)

    def tick(self, at: datetime) -> Tick:
        """Return the tick that a moment lies in."""
        start = at.replace(second=at.second - at.second % Tick.SECONDS, microsecond=0)
        return self.ticks.setdefault(start, Tick(at=start))

    def kill(self, uri: str, message: Message) -> None:
        """Note a kill; the first one of a uri stands."""
        self.killed.setdefault(uri, Kill(uri=uri, place=message.place, at=message.at))


def add_article(rows: Rows, message: Message) -> None:
    """Add one message of the input topic, whatever it holds."""
    key = _clean((message.key or b"").decode("utf-8", "replace"))[:2_000]
    row = Article(
        place=message.place,
        uri=key,
        received_at=message.at,
        reason=message.header(REASON_HEADER)[:100],
    )
    rows.articles.append(row)
    if message.value is None:
        row.status = Article.Status.KILL
        if key:
            rows.kill(key, message)
        return
    try:
        article = decode_article(message.value)
    except InvalidArticle:
        row.status = Article.Status.UNREADABLE
        return
    if message.key is not None and key != article.uri:
        row.status = Article.Status.UNREADABLE  # the agents refuse it: key and uri must agree
        return
    row.uri = article.uri
    row.version = "" if article.version is None else str(article.version)
    if article.canceled:
        row.status = Article.Status.KILL
        rows.kill(article.uri, message)
        return
    if article.withheld:
        row.status = Article.Status.WITHHELD
    row.title = article.title[:TITLE_SHOWN]
    row.body = article.body[:BODY_SHOWN]
    row.body_chars = len(article.body)
    row.words = words(article.title)
    row.language = article.language or ""
    row.source = article.source or ""
    row.published_at = article.published_at
    row.embargoed_until = article.embargoed_until


def add_classification(rows: Rows, message: Message) -> None:
    """Add one result; a null value says that the uri was killed."""
    if message.value is None:
        uri = (message.key or b"").decode("utf-8", "replace")
        if uri:
            rows.kill(uri, message)
        return
    try:
        result = decode_classification(message.value)
    except msgspec.MsgspecError as error:
        log.warning("result %d/%d: %s", message.partition, message.offset, error)
        return
    at = datetime.fromisoformat(result.classified_at).astimezone(UTC)
    origin = place(result.origin.partition, result.origin.offset)
    rows.results.append(_result(result, origin, message.place, at))
    tick = rows.tick(at)
    tick.results += 1
    for subject in result.subjects:
        rows.answers.append(
            Answer(
                place=origin,
                classifier=subject.classifier[:100],
                label=(subject.label or "")[:200],
                confidence=subject.confidence,
                decision=subject.decision,
                model=subject.model or "",
                encoder=subject.encoder or "",
                embedding=subject.embedding or "",
            )
        )
    # One article is encoded once, however many classifiers it answers.
    origins = {subject.embedding for subject in result.subjects}
    tick.misses += "miss" in origins
    tick.hits += "miss" not in origins and bool(origins & {"hit", "near"})


def _result(result: Classification, origin: int, own: int, at: datetime) -> Result:
    return Result(
        place=origin,
        result_place=own,
        uri=result.uri,
        version=str(result.version),
        revision=result.revision,
        digest=result.digest[:64],
        source=result.source or "",
        classified_at=at,
        stale=result.stale,
        degraded=result.degraded,
        truncated=result.truncated,
        supersedes=msgspec.to_builtins(result.supersedes),
        subjects=msgspec.to_builtins(result.subjects),
    )


def add_dead_letter(rows: Rows, message: Message) -> None:
    """Add one dead letter with the beginning of its bytes."""
    partition, offset = (message.header(f"{ERROR_HEADER}{n}") for n in ("partition", "offset"))
    known = partition.isdigit() and offset.isdigit() and len(partition) < 6 and len(offset) < 13
    key = message.key or b""
    rows.letters.append(
        DeadLetter(
            letter_place=message.place,
            origin_topic=message.header(f"{ERROR_HEADER}topic")[:250],
            place=place(int(partition), int(offset)) if known else None,
            uri=_clean(key.decode("utf-8", "replace"))[:2_000],
            reason=message.header(f"{ERROR_HEADER}message")[:2_000],
            exception=message.header(f"{ERROR_HEADER}exception")[:200],
            key=key[:KEY_SHOWN],
            value=None if message.value is None else message.value[:VALUE_SHOWN],
            value_bytes=len(message.value or b""),
            headers=[
                [
                    _clean(name)[:100],
                    _clean((value or b"").decode("utf-8", "replace"))[:HEADER_SHOWN],
                ]
                for name, value in message.headers[:HEADERS_SHOWN]
                if not name.startswith(ERROR_HEADER)
            ],
            at=message.at,
        )
    )
    rows.tick(message.at).dead_letters += 1


def _clean(text: str) -> str:
    """Replace what PostgreSQL takes in no text."""
    return text.replace("\0", "\ufffd")


def without(rows: Rows, killed: Iterable[str]) -> None:
    """Strip articles and drop results of killed uris before they are written."""
    gone = set(killed)
    if not gone:
        return
    for article in rows.articles:
        if article.uri in gone and article.status != Article.Status.KILL:
            strip(article)
    places = {result.place for result in rows.results if result.uri in gone}
    rows.results = [result for result in rows.results if result.place not in places]
    rows.answers = [answer for answer in rows.answers if answer.place not in places]


def strip(article: Article) -> None:
    """Leave nothing of an article but that it was there."""
    article.status = Article.Status.KILLED
    article.title = article.body = article.words = ""
    article.body_chars = 0
