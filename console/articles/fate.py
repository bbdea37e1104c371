"""What became of one message, in words: from what the projections say of its place."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from console.history.models import Article, DeadLetter, LagReading, Result, partition_offset


@dataclass(frozen=True)
class Fate:
    """A word for it, its colour, and why."""

    word: str
    tone: str
    why: str


def committed_offsets(reading: LagReading | None) -> dict[int, int]:
    """Return up to where the agents had committed, by partition."""
    if reading is None:
        return {}
    return {int(p["partition"]): int(p["committed"]) for p in reading.partitions}


def fate(
    article: Article, result: Result | None, letter: DeadLetter | None, committed: dict[int, int]
) -> Fate:
    """Tell what became of a message."""
    if result is not None:
        word = "first result" if result.revision == 1 and not result.supersedes else "revision"
        return Fate(
            "stale" if result.stale else word,
            "ok",
            "a later version came before it" if result.stale else "",
        )
    if letter is not None:
        return Fate("dead letter", "bad", letter.reason)
    if article.status == Article.Status.KILL:
        return Fate("kill", "warn", "every text and result of this uri was purged")
    if article.status == Article.Status.KILLED:
        return Fate("killed", "warn", "its text and result were purged")
    if article.embargoed_until is not None and article.embargoed_until > timezone.now():
        return Fate("held", "info", f"until {article.embargoed_until:%Y-%m-%d %H:%M} UTC")
    partition, offset = partition_offset(article.place)
    if partition not in committed:
        return Fate("not known", "", "the lag has not been read yet")
    if offset >= committed[partition]:
        return Fate("waiting", "info", "no agent has committed it yet")
    return Fate("no result", "", "the same version and text had a result before: a duplicate")
