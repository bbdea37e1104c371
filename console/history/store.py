"""Writing a batch: rows and offsets in one transaction, so that neither is ever without the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from django.db import connection, transaction

from console.history.models import (
    Answer,
    Article,
    DeadLetter,
    DeploymentRecord,
    Kill,
    Position,
    Result,
    Tick,
)
from console.history.rows import Rows, without

AT_ONCE = 400  # uris in one statement

PROJECTIONS = (Article, Result, Answer, DeadLetter, Kill, DeploymentRecord, Position, Tick)

# Adding to a row or making it, in one statement that SQLite and PostgreSQL both know.
_ADD_TICK = """
INSERT INTO history_tick (at, results, hits, misses, dead_letters) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (at) DO UPDATE SET results = history_tick.results + excluded.results,
    hits = history_tick.hits + excluded.hits, misses = history_tick.misses + excluded.misses,
    dead_letters = history_tick.dead_letters + excluded.dead_letters
"""

Next = Mapping[tuple[str, int], int]
"""The next offset to read, by topic and partition."""


def positions() -> dict[tuple[str, int], int]:
    """Return the next offset to read of each partition that was read before."""
    return {(p.topic, p.partition): p.next_offset for p in Position.objects.all()}


def killed_uris() -> set[str]:
    """Return every uri that was killed and is remembered."""
    return set(Kill.objects.values_list("uri", flat=True))


def write(rows: Rows, deployments: list[DeploymentRecord], offsets: Next, killed: set[str]) -> None:
    """Write a batch and its offsets, all or nothing; `killed` are the uris killed before it."""
    without(rows, killed)
    with transaction.atomic():
        Article.objects.bulk_create(rows.articles, ignore_conflicts=True)
        Result.objects.bulk_create(rows.results, ignore_conflicts=True)
        Answer.objects.bulk_create(rows.answers)
        DeadLetter.objects.bulk_create(rows.letters, ignore_conflicts=True)
        DeploymentRecord.objects.bulk_create(deployments, ignore_conflicts=True)
        Kill.objects.bulk_create(rows.killed.values(), ignore_conflicts=True)
        purge(rows.killed)
        _add_ticks(rows.ticks.values())
        _write_offsets(offsets)


def purge(uris: Iterable[str]) -> None:
    """Remove text, results and answers of killed uris; that they were there remains."""
    iterator = iter(uris)
    while batch := list(islice(iterator, AT_ONCE)):
        of_uris = Article.objects.filter(uri__in=batch).exclude(
            status__in=(Article.Status.KILL, Article.Status.UNREADABLE)
        )
        of_uris.update(title="", body="", words="", body_chars=0, status=Article.Status.KILLED)
        results = Result.objects.filter(uri__in=batch)
        Answer.objects.filter(place__in=results.values("place")).delete()
        results.delete()


def _add_ticks(ticks: Iterable[Tick]) -> None:
    rows = [
        (
            connection.ops.adapt_datetimefield_value(t.at),
            t.results,
            t.hits,
            t.misses,
            t.dead_letters,
        )
        for t in ticks
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_ADD_TICK, rows)


def _write_offsets(offsets: Next) -> None:
    Position.objects.bulk_create(
        [Position(topic=t, partition=p, next_offset=n) for (t, p), n in offsets.items()],
        update_conflicts=True,
        unique_fields=["topic", "partition"],
        update_fields=["next_offset"],
    )


def forget_everything() -> None:
    """Drop every projection: the next start reads the topics from their beginning."""
    with transaction.atomic():
        for model in PROJECTIONS:
            model._default_manager.all().delete()
