"""The messages on Kafka: articles in, classifications out, deployments; frozen values.

Four values travel through Wireroom: bytes, `Article`, embedding, `Classification`. This file turns
the first into the second and the last back into bytes.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn

import msgspec

from ml import ninjs, text

MAX_TEXT = 1_000_000
"""Characters of title and body together. A longer article is a dead letter: it is a mistake or an
attack, and no encoder reads that far."""

Version = int | str
Decision = Literal["accept", "review", "abstain", "corrected"]


class InvalidArticle(ValueError):
    """A message that is no article; the message says what is wrong, for a person to read."""


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one news item, whatever form it came in.

    `version` is None where the feed numbers none: then the order of arrival is the version.
    `created` orders the versions of one uri (ninjs `versioncreated`; flat `published_at`), UTC.
    """

    uri: str
    title: str = ""
    body: str = ""
    language: str | None = None
    source: str | None = None
    published_at: datetime | None = None
    created: datetime | None = None
    version: Version | None = None
    canceled: bool = False
    withheld: bool = False
    embargoed_until: datetime | None = None

    @property
    def text(self) -> str:
        """The normalised text that is encoded and digested."""
        return text.normalise(f"{self.title}\n{self.body}")


class Origin(msgspec.Struct, frozen=True):
    """Where on the input topic an article lay."""

    partition: int
    offset: int


class Supersedes(msgspec.Struct, frozen=True):
    """The result that a result replaces."""

    version: Version
    revision: int


class Subject(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # holds texts alone
    """One classifier's answer. `label` is None on abstention; `embedding` where none was needed."""

    classifier: str
    label: str | None
    confidence: float
    decision: Decision
    model: str | None
    encoder: str | None
    embedding: Literal["hit", "miss", "near"] | None


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """A result: what the deployed classifiers say of one revision of one article."""

    uri: str
    version: Version
    revision: int
    digest: str
    language: str | None
    source: str | None
    published_at: str | None
    classified_at: str
    origin: Origin
    subjects: list[Subject]
    truncated: bool = False
    degraded: bool = False
    stale: bool = False
    supersedes: Supersedes | None = None

    @property
    def event_id(self) -> str:
        """The CloudEvents id: the same for the same revision, whoever reads it."""
        return f"{self.uri}/{self.version}/{self.revision}"


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What runs for one classifier from this record on.

    `based_on` is the offset of the record that this one replaces, None for a classifier's first;
    a record based on another than the newest is stale and ignored, so two operators never make
    two champions. `champion` is None where the classifier is taken out of service.
    """

    classifier: str
    champion: str | None
    based_on: int | None
    by: str
    at: str
    why: str = ""


_encoder = msgspec.json.Encoder()
_classification_decoder = msgspec.json.Decoder(Classification)
_deployment_decoder = msgspec.json.Decoder(Deployment)


def encode(message: msgspec.Struct | dict[str, Any]) -> bytes:
    """Return a message as UTF-8 JSON."""
    return _encoder.encode(message)


def decode_classification(value: bytes) -> Classification:
    """Read a result; raises msgspec.DecodeError or ValidationError."""
    return _classification_decoder.decode(value)


def decode_deployment(value: bytes) -> Deployment:
    """Read a deployment record; raises msgspec.DecodeError or ValidationError."""
    return _deployment_decoder.decode(value)


def timestamp(moment: datetime) -> str:
    """Return an aware moment as RFC 3339 in UTC with milliseconds, ending in Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode_article(value: bytes) -> Article:
    """Read an article in the flat form or as ninjs 1.x to 3.x.

    Raises InvalidArticle with a reason that a person understands. Strict where silence would lose
    something: duplicate keys, NaN, lone surrogates and impossible dates are refused.
    """
    fields = _object(value)
    form = ninjs.flatten(fields) if ninjs.looks_like(fields) else dict(fields)
    uri = form.get("uri")
    if uri is None:
        raise InvalidArticle("uri is missing")
    if not isinstance(uri, str) or not uri.strip():
        raise InvalidArticle(f"uri must be a text that is not empty, got {_short(uri)}")
    if len(_sound("uri", uri)) > 2_000:
        raise InvalidArticle(f"uri has {len(uri)} characters; the limit is 2000")
    title, body = _text(form, "title"), _text(form, "body")
    if len(title) + len(body) > MAX_TEXT:
        raise InvalidArticle(
            f"title and body have {len(title) + len(body)} characters; the limit is {MAX_TEXT}"
        )
    published = _moment(form, "published_at")
    created = _moment(form, "created")
    return Article(
        uri=uri,
        title=title,
        body=body,
        language=_optional(form, "language"),
        source=_optional(form, "source"),
        published_at=published,
        created=created or published,
        version=_version(form),
        canceled=form.get("status") == "canceled",
        withheld=form.get("status") == "withheld",
        embargoed_until=_moment(form, "embargoed_until"),
    )


def _object(value: bytes) -> dict[str, Any]:
    """Parse bytes to one JSON object, or say why they are none."""
    if not value:
        raise InvalidArticle("the message is empty (a kill is a null value, not empty bytes)")
    if value.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise InvalidArticle("the message starts with a byte-order mark; send plain UTF-8")
    if value[0] == 0x80 and len(value) > 1 and value[1] <= 5:
        raise InvalidArticle("the message is a Python pickle, which is never read; send JSON")
    try:
        document = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArticle(
            f"not UTF-8: byte {error.start} is 0x{value[error.start]:02x}"
        ) from None
    try:
        fields = json.loads(document, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except InvalidArticle:
        raise
    except RecursionError:
        raise InvalidArticle("the JSON is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError, and integers of over 4,300 digits
        raise InvalidArticle(f"not JSON: {str(error)[:200]}") from None
    if not isinstance(fields, dict):
        raise InvalidArticle(f"expected a JSON object, got {_short(fields)}")
    if "\\ud" in document or "\\uD" in document:  # an escape may stand alone in any field
        _sound("a field", json.dumps(fields, ensure_ascii=False))
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add() returns None: falsy on purpose
        raise InvalidArticle(f"key {_short(double)} stands twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidArticle(f"{name} is no JSON number")


def _text(form: dict[str, Any], key: str) -> str:
    value = form.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidArticle(f"{key} must be a text, got {_short(value)}")
    return _sound(key, value)


def _optional(form: dict[str, Any], key: str) -> str | None:
    value = _text(form, key)
    if len(value) > 500:
        raise InvalidArticle(f"{key} has {len(value)} characters; the limit is 500")
    return value or None


_SURROGATE = re.compile("[\ud800-\udfff]")


def _sound(key: str, value: str) -> str:
    if "\0" in value:
        raise InvalidArticle(f"{key} holds a NUL character")
    if found := _SURROGATE.search(value):
        raise InvalidArticle(f"{key} holds a lone surrogate, U+{ord(found[0]):04X}")
    return value


def _version(form: dict[str, Any]) -> Version | None:
    value = form.get("version")
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidArticle(f"version must be a whole number or a text, got {_short(value)}")
    if isinstance(value, str):
        return _optional(form, "version")
    if abs(value) >= 2**63:
        raise InvalidArticle("version is not within 64 bits")
    return value


def _moment(form: dict[str, Any], key: str) -> datetime | None:
    """Read a date of ISO 8601; one without a zone is UTC."""
    value = form.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidArticle(f"{key} must be a date as text (ISO 8601), got {_short(value)}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidArticle(f"{key}: {_short(value)} is no date ({error})") from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within a day of year 1 or 9999
        return moment.replace(tzinfo=UTC)


def _short(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
