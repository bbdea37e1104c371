"""From findings to alerts: raised once, resolved by themselves, stored, then published.

The row is the truth: an alert is published after its row is written. Should the process die in
between, subscribers miss that message; the console shows the alert all the same.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from console.alerts.models import Alert
from console.alerts.rules import RULES, Facts, Finding, Rule
from ml.messages import timestamp

log = logging.getLogger(__name__)
Publish = Callable[[str, dict[str, Any]], None]
Key = tuple[str, str]


class Evaluator:
    """Compares each evaluation with the open alerts; remembers how often in a row."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._broken: Counter[Key] = Counter()
        self._well: Counter[Key] = Counter()

    def evaluate(self, facts: Facts, now: datetime) -> None:
        """Raise and resolve what the facts say."""
        open_alerts = {(a.rule, a.subject): a for a in Alert.objects.filter(resolved_at=None)}
        for rule in RULES:
            findings = rule.find(facts)
            if findings is None:
                continue
            found = {(rule.key, f.subject): f for f in findings}
            for key, finding in found.items():
                self._found(rule, key, finding, open_alerts.get(key), now)
            for key, alert in open_alerts.items():
                if key[0] == rule.key and key not in found:
                    self._absent(rule, key, alert, now)
            for key in [k for k in self._broken if k[0] == rule.key and k not in found]:
                del self._broken[key]

    def _found(
        self, rule: Rule, key: Key, finding: Finding, alert: Alert | None, now: datetime
    ) -> None:
        self._well.pop(key, None)
        if alert is not None:
            if alert.detail != finding.detail:
                Alert.objects.filter(id=alert.id).update(detail=finding.detail, link=finding.link)
            return
        if not finding.broken:
            self._broken.pop(key, None)
            return
        self._broken[key] += 1
        if self._broken[key] >= rule.raise_after:
            del self._broken[key]
            self._raise(rule, finding, now)

    def _raise(self, rule: Rule, finding: Finding, now: datetime) -> None:
        alert = Alert(
            rule=rule.key,
            subject=finding.subject,
            title=finding.title,
            detail=finding.detail,
            todo=finding.todo,
            link=finding.link,
            raised_at=now,
        )
        try:
            with transaction.atomic():
                alert.save()
        except IntegrityError:
            return  # another history process was first
        log.warning("alert: %s: %s", alert.title, alert.detail)
        self._publish(rule.key, message(alert))

    def _absent(self, rule: Rule, key: Key, alert: Alert, now: datetime) -> None:
        self._well[key] += 1
        if self._well[key] < rule.resolve_after:
            return
        del self._well[key]
        if Alert.objects.filter(id=alert.id, resolved_at=None).update(resolved_at=now):
            alert.resolved_at = now
            log.warning("resolved: %s", alert.title)
            self._publish(rule.key, message(alert))


def message(alert: Alert) -> dict[str, Any]:
    """Return an alert as it is published."""
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "state": "raised" if alert.resolved_at is None else "resolved",
        "title": alert.title,
        "detail": alert.detail,
        "todo": alert.todo,
        "link": alert.link,
        "raised_at": timestamp(alert.raised_at),
        "resolved_at": timestamp(alert.resolved_at) if alert.resolved_at else None,
    }
