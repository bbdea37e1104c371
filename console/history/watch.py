"""The history's threads beside the reader: readings and alerts, the ledger, the retention."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import Consumer
from django.db import connection
from django.utils import timezone

from console.alerts.evaluate import Evaluator
from console.history import readings, retention
from console.history.consume import AWAY, History
from console.history.models import LagReading
from infra.settings import Settings
from stream import kafka

READINGS_S = 5.0
LEDGER_S = 10.0
LEDGER_SHARE = 8  # the count reads whole topics: it rests this many times as long as it took
RETENTION_S = 60.0
SWEEP_PAUSE_S = 0.2  # between two slices, so that the reader gets its turn

log = logging.getLogger(__name__)


def start(
    settings: Settings, history: History, stopping: threading.Event
) -> list[threading.Thread]:
    """Start the threads; they end soon after `stopping` is set."""
    watcher = _Watcher(settings)
    steps: list[tuple[str, Callable[[], float]]] = [
        ("readings", watcher.step),
        ("ledger", lambda: _ledger(settings)),
        ("retention", lambda: _retention(history, stopping)),
    ]
    threads = [
        threading.Thread(target=_repeat, args=(name, step, stopping), name=name, daemon=True)
        for name, step in steps
    ]
    for thread in threads:
        thread.start()
    return threads


def _repeat(name: str, step: Callable[[], float], stopping: threading.Event) -> None:
    """Call `step` until told to stop, as long after its end as it says."""
    while True:
        pause = READINGS_S
        try:
            pause = step()
        except (*AWAY, kafka.KafkaUnavailable) as error:
            log.warning("%s: %s", name, error)
        except Exception:
            log.exception("%s failed", name)
        finally:
            connection.close()
        if stopping.wait(pause):
            return


class _Watcher:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader: Consumer = kafka.consumer(settings)
        self._evaluator = Evaluator(readings.AlertTopic(settings).publish)
        self._began = False

    def step(self) -> float:
        """Take one round of readings and judge them."""
        if not self._began:
            readings.forget_absent()
            self._began = True
        lost = readings.read_processes(self._settings)
        lag: LagReading | None = None
        try:
            lag = readings.read_lag(self._settings, self._reader)
        except kafka.KafkaUnavailable as error:
            log.warning("lag: %s", error)
        self._evaluator.evaluate(readings.gather(self._settings, lag, lost), timezone.now())
        return READINGS_S


def _ledger(settings: Settings) -> float:
    began = time.monotonic()
    readings.read_ledger(settings)
    return max(LEDGER_S, LEDGER_SHARE * (time.monotonic() - began))


def _retention(history: History, stopping: threading.Event) -> float:
    while retention.sweep() and not stopping.wait(SWEEP_PAUSE_S):
        continue
    history.forget_old_kills()
    return RETENTION_S
