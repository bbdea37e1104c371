"""Where articles come from: JSON lines, ninjs files, RSS and Atom.

A source yields items as they would lie on Kafka. What is no article is passed on as it is: the
stream makes it a dead letter with a reason, so nothing is lost silently on the way in.
"""

from __future__ import annotations

import calendar
import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import feedparser
import msgspec

from ml.messages import timestamp
from ml.text import from_html
from stream.publisher import Item

MAX_FEED_BYTES = 16 * 1024 * 1024
FEED_S = 20.0  # seconds a feed's server may take


class SourceError(ValueError):
    """A source that cannot be read; the message says why."""


def read(source: str) -> Iterator[Item]:
    """Yield the items of `source`: an http(s) address of a feed, a file, or `-` for stdin.

    A file is JSON lines (also .gz), one ninjs document (.json), or a feed (.xml, .rss, .atom).
    Raises SourceError.
    """
    if source == "-":
        yield from _lines(sys.stdin.buffer)
        return
    if urlsplit(source).scheme in ("http", "https"):
        yield from _feed(_fetch(source), source)
        return
    path = Path(source)
    try:
        if path.suffix in (".xml", ".rss", ".atom"):
            yield from _feed(path.read_bytes(), path.stem)
        elif path.suffix == ".gz":
            with gzip.open(path) as lines:
                yield from _lines(lines)  # type: ignore[arg-type]  # a GzipFile reads like a file
        elif path.suffix == ".json":
            yield from _document(path.read_bytes())
        else:
            with path.open("rb") as lines:
                yield from _lines(lines)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"{source}: {error}") from error


def _lines(lines: IO[bytes]) -> Iterator[Item]:
    for line in lines:
        if stripped := line.strip():
            yield _item(stripped)


def _document(content: bytes) -> Iterator[Item]:
    """Yield one document, or each of a list of them."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        yield _item(content)
        return
    if isinstance(document, list):
        for part in document:
            yield _item(msgspec.json.encode(part))
    else:
        yield _item(content)


def _item(value: bytes) -> Item:
    """Key a document by its uri; one without has its first bytes as key, and becomes a dead letter.

    A corpus row with `id` and no `uri` gets the id as uri.
    """
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        uri = fields.get("uri")
        if isinstance(uri, str) and uri:
            return Item(uri, value)
        identity = fields.get("id")
        if uri is None and isinstance(identity, str | int) and identity != "":
            return Item(str(identity), msgspec.json.encode({**fields, "uri": str(identity)}))
    return Item(value[:40].decode("utf-8", "replace"), value)


def _fetch(address: str) -> bytes:
    request = Request(address, headers={"User-Agent": "wireroom"})  # noqa: S310 - scheme checked by the caller
    try:
        with urlopen(request, timeout=FEED_S) as answer:  # noqa: S310 - as above
            content: bytes = answer.read(MAX_FEED_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{address}: {error}") from error
    if len(content) > MAX_FEED_BYTES:
        raise SourceError(f"{address}: over {MAX_FEED_BYTES} bytes")
    return content


def _feed(content: bytes, name: str) -> Iterator[Item]:
    feed: Any = feedparser.parse(content)
    if not feed.entries and feed.bozo:
        raise SourceError(f"{name}: neither RSS nor Atom ({feed.bozo_exception})")
    for entry in feed.entries:
        uri = entry.get("id") or entry.get("link")
        if not uri:
            continue  # nothing would tell its next version from another article
        bodies = [part.get("value", "") for part in entry.get("content", [])]
        fields = {
            "uri": uri,
            "title": from_html(entry.get("title", "")),
            "body": from_html(bodies[0] if bodies else entry.get("summary", "")),
            "language": feed.feed.get("language"),
            "source": feed.feed.get("title") or name,
            "published_at": _moment(entry),
        }
        yield Item(uri, msgspec.json.encode(fields))


def _moment(entry: Any) -> str | None:
    # `in` first: feedparser warns where it stands in for a date that is missing.
    parsed = next((entry[k] for k in ("updated_parsed", "published_parsed") if k in entry), None)
    if not parsed:
        return None
    return timestamp(datetime.fromtimestamp(calendar.timegm(parsed), UTC))
