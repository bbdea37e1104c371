"""Alerts: one row from the moment that a rule is broken until it holds again."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Alert(models.Model):
    """A broken rule. `subject` tells apart what a rule watches several of, e.g. processes."""

    rule = models.CharField(max_length=50)
    subject = models.CharField(max_length=250, blank=True)
    title = models.CharField(max_length=250)
    detail = models.TextField(help_text="with the numbers, as of the last evaluation")
    todo = models.TextField(help_text="what to do next")
    link = models.CharField(max_length=200, blank=True, help_text="of the page that shows more")
    raised_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # What makes "raised once" true whoever evaluates: the database refuses a second one.
            models.UniqueConstraint(
                fields=["rule", "subject"],
                condition=Q(resolved_at=None),
                name="one_open_alert_a_rule_and_subject",
            )
        ]
        indexes = [models.Index(fields=["-raised_at"], name="alert_newest")]
        ordering = ["-raised_at"]

    def __str__(self) -> str:
        return self.title
