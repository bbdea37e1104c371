"""Projections of the topics, for the pages: written by the history process alone, in the order of
the topics, each batch together with the offsets that it was read up to. All of it can be dropped
and rebuilt, so no table refers to another by a foreign key and every delete is one statement.

A message's `place` is its partition and offset in one number, which the tables are joined by: an
article, its result and its dead letter name the same place on the input topic.
"""

from __future__ import annotations

from django.db import models

SPAN = 10**12
"""Offsets of a partition before the next one's begin: 10**12 messages are 30 years at 1,000/s."""


def place(partition: int, offset: int) -> int:
    """Return a message's partition and offset as one number."""
    return partition * SPAN + offset


def partition_offset(number: int) -> tuple[int, int]:
    """Return the partition and the offset of a place."""
    return divmod(number, SPAN)


class Article(models.Model):
    """One message of the input topic, readable or not; `id` grows in the order of reading."""

    class Status(models.TextChoices):
        USABLE = "usable"
        WITHHELD = "withheld"
        KILL = "kill"  # this message is the kill
        KILLED = "killed"  # its text was purged by a later kill
        UNREADABLE = "unreadable"

    place = models.BigIntegerField(unique=True)
    uri = models.CharField(max_length=2_000)
    version = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.USABLE)
    title = models.TextField(blank=True)
    body = models.TextField(
        blank=True, help_text="the first characters; `body_chars` says of how many"
    )
    body_chars = models.IntegerField(default=0)
    words = models.TextField(blank=True, help_text="the title as the search reads it")
    language = models.CharField(max_length=500, blank=True)
    source = models.CharField(max_length=500, blank=True)
    published_at = models.DateTimeField(null=True)
    embargoed_until = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    reason = models.CharField(max_length=100, blank=True, help_text="why it was sent again")

    class Meta:
        indexes = [models.Index(fields=["uri", "id"], name="article_uri")]

    def __str__(self) -> str:
        return self.uri


class Result(models.Model):
    """One classification; `id` grows in the order of reading, which the live page follows."""

    place = models.BigIntegerField(unique=True, help_text="of the article")
    result_place = models.BigIntegerField(help_text="on the topic of results")
    uri = models.CharField(max_length=2_000)
    version = models.CharField(max_length=500)
    revision = models.IntegerField()
    digest = models.CharField(max_length=64)
    source = models.CharField(max_length=500, blank=True)
    classified_at = models.DateTimeField()
    stale = models.BooleanField(default=False)
    degraded = models.BooleanField(default=False)
    truncated = models.BooleanField(default=False)
    supersedes = models.JSONField(null=True)
    subjects = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["uri", "id"], name="result_uri")]

    def __str__(self) -> str:
        return f"{self.uri} revision {self.revision}"


class Answer(models.Model):
    """One classifier's answer within a result, one row, for the filters."""

    place = models.BigIntegerField(db_index=True, help_text="of the article")
    classifier = models.CharField(max_length=100)
    label = models.CharField(max_length=200, blank=True, help_text="empty: it abstained")
    confidence = models.FloatField()
    decision = models.CharField(max_length=20)
    model = models.CharField(max_length=200, blank=True)
    encoder = models.CharField(max_length=200, blank=True)
    embedding = models.CharField(max_length=10, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["classifier", "label", "id"], name="answer_label"),
            models.Index(fields=["classifier", "decision", "id"], name="answer_decision"),
        ]

    def __str__(self) -> str:
        return f"{self.classifier}: {self.label or 'no label'}"


class DeadLetter(models.Model):
    """One message of the dead letters, its bytes bounded for display."""

    letter_place = models.BigIntegerField(unique=True, help_text="on the topic of dead letters")
    origin_topic = models.CharField(max_length=250, blank=True)
    place = models.BigIntegerField(null=True, db_index=True, help_text="of the article")
    uri = models.CharField(max_length=2_000, blank=True, db_index=True)
    reason = models.TextField()
    exception = models.CharField(max_length=200, blank=True)
    key = models.BinaryField()
    value = models.BinaryField(null=True)
    value_bytes = models.BigIntegerField(default=0)
    headers = models.JSONField(default=list)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reason


class Kill(models.Model):
    """A uri whose text must not be kept."""

    uri = models.CharField(max_length=2_000, unique=True)
    place = models.BigIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.uri


class DeploymentRecord(models.Model):
    """One record of the control topic; `effective` tells whether it ever ran."""

    offset = models.BigIntegerField(unique=True)
    classifier = models.CharField(max_length=100)
    champion = models.CharField(max_length=200, null=True)
    based_on = models.BigIntegerField(null=True)
    by = models.CharField(max_length=150)
    at = models.DateTimeField()
    why = models.TextField(blank=True)
    effective = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["classifier", "-offset"], name="deployment_newest")]

    def __str__(self) -> str:
        return f"{self.classifier}: {self.champion}"


class Position(models.Model):
    """The next offset to read of one partition, true for exactly the rows that are there."""

    topic = models.CharField(max_length=250)
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["topic", "partition"], name="one_position_a_partition")
        ]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}: {self.next_offset}"


class Tick(models.Model):
    """What happened within five seconds, by the results' own time: true also after catching up."""

    SECONDS = 5

    at = models.DateTimeField(primary_key=True, help_text="the start")
    results = models.IntegerField(default=0)
    hits = models.IntegerField(default=0)
    misses = models.IntegerField(default=0)
    dead_letters = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.results}"


class LagReading(models.Model):
    """The agents' lag at one moment."""

    at = models.DateTimeField(primary_key=True)
    total = models.BigIntegerField()
    partitions = models.JSONField(help_text="[{partition, end, committed, lag}]")

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.total}"


class LedgerReading(models.Model):
    """The ledger's identity at one moment; `difference` reads 0."""

    at = models.DateTimeField(primary_key=True)
    inputs = models.BigIntegerField()
    first_results = models.BigIntegerField()
    later_revisions = models.BigIntegerField()
    dead_letters = models.BigIntegerField()
    kills = models.BigIntegerField()
    duplicates = models.BigIntegerField()
    held = models.BigIntegerField()
    waiting = models.BigIntegerField()
    difference = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} difference {self.difference}"


class Process(models.Model):
    """A process that reported once and is expected to go on; its last report."""

    host = models.CharField(max_length=250)
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=50)
    report = models.JSONField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "name"], name="one_process_a_name_and_host")
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.host}"
