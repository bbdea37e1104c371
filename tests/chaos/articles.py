"""What is sent: short news texts, several versions of some, and what no news is.

Everything follows from the seed. What must come out is not decided here: the sequential model
(expected.py) decides it from the journal of what Kafka took.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

Meaning = Literal["article", "bad", "kill", "rescore"]

WORDS = (10, 40)  # of a text, as long as AG News'
TITLE_WORDS = 8
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
RECENT = 400  # uris that may get another version
MOST_VERSIONS = 8
BAD = (
    b"",
    b'{"uri": "x"',
    b"\xff\xfe{}",
    b'{"title": "no uri"}',
    b'{"uri": 7, "title": "a number"}',
    b'{"uri": "x", "uri": "x"}',
    b"[1, 2, 3]",
)
# What the next message is, and how often among a thousand.
MIX = {
    "new": 680,
    "copy": 60,  # another uri with the text of one before: what the cache is for
    "next": 110,
    "late": 40,
    "corrected": 40,
    "same": 50,
    "kill": 10,
    "bad": 10,
}
OF_A_STORY = ("next", "late", "corrected")


@dataclass(frozen=True)
class Message:
    """One message to send; `version`, `created` and `digest` say what the article is."""

    uri: str
    value: bytes | None
    meaning: Meaning = "article"
    version: int | None = None
    created: str | None = None
    digest: str | None = None


class Corpus:
    """Texts cut from Reuters newswire."""

    def __init__(self, assets: Path) -> None:
        [folder] = sorted((assets / "datasets").glob("r52+*"))[:1]
        with gzip.open(folder / "rows.jsonl.gz", "rt", encoding="utf-8") as lines:
            self._stories = [json.loads(line)["body"].split() for line in lines]

    def text(self, draw: random.Random) -> str:
        """Return 10 to 40 words that stand together in one story."""
        words: list[str] = []
        while len(words) < WORDS[0]:
            story = draw.choice(self._stories)
            start = draw.randrange(max(1, len(story) - WORDS[0]))
            words = story[start : start + draw.randint(*WORDS)]
        return " ".join(words)


@dataclass
class _Story:
    """One uri so far: its numbered versions, or None where it numbers none."""

    uri: str
    numbered: bool
    dated: bool
    versions: dict[int, str]
    newest: int = 1


def messages(corpus: Corpus, count: int, seed: int) -> Iterator[Message]:
    """Yield `count` messages, the same for the same seed."""
    draw = random.Random(seed)
    kinds = list(MIX)
    weights = list(MIX.values())
    recent: list[_Story] = []
    last: list[Message] = []
    texts: list[str] = []
    for n in range(count):
        [kind] = draw.choices(kinds, weights)
        story = draw.choice(recent) if recent else None
        if kind == "bad":
            yield Message(f"bad:{seed}:{n}", draw.choice(BAD), "bad")
        elif kind == "same" and last:
            yield draw.choice(last)
        elif kind == "kill" and story:
            yield Message(story.uri, None, "kill")
        else:
            copied = kind == "copy" and texts
            if kind not in OF_A_STORY or story is None or story.newest >= MOST_VERSIONS:
                story = _Story(f"chaos:{seed}:{n}", draw.random() < 0.6, draw.random() < 0.7, {})
                recent = [*recent[-RECENT:], story]
                kind = "new"
            text = draw.choice(texts) if copied else corpus.text(draw)
            message = _version(story, kind, text, draw)
            last = [*last[-RECENT:], message]
            texts = [*texts[-RECENT:], text]
            yield message


def _version(story: _Story, kind: str, text: str, draw: random.Random) -> Message:
    if not story.numbered:
        story.newest += 1
        return _message(story.uri, text, None, None)
    if kind == "new":
        number = story.newest = 2  # so that there is an older one to come late
    elif kind == "next":
        number = story.newest = story.newest + draw.randint(1, 2)
    elif kind == "late":
        number = draw.randint(1, story.newest)
    else:
        number = draw.choice(list(story.versions))
    story.versions[number] = text
    created = (FIRST_DAY + timedelta(hours=number)).isoformat() if story.dated else None
    return _message(story.uri, text, number, created)


def _message(uri: str, text: str, version: int | None, created: str | None) -> Message:
    words = text.split(" ")
    fields: dict[str, Any] = {
        "uri": uri,
        "title": " ".join(words[:TITLE_WORDS]),
        "body": " ".join(words[TITLE_WORDS:]),
        "language": "en",
    }
    if version is not None:
        fields["version"] = version
    if created is not None:
        fields["published_at"] = created
    return Message(uri, json.dumps(fields).encode(), "article", version, created, digest(text))


def digest(text: str) -> str:
    """Return what a result calls this text: 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
