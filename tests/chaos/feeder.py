"""Sends the messages at a rate and keeps the journal of what was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Delivered

from tests.chaos.articles import Message
from tests.chaos.journal import Journal, Line

TOPIC = "wire.articles.v1"
PATIENCE_MS = 300_000  # a broker that was killed comes back within this
TRANSACTION_S = 0.2
ABORTED_SHARE = 0.05


class Feeder(threading.Thread):
    """Feeds from a thread of its own; `transactional` sends in transactions, some of them aborted."""

    def __init__(
        self,
        kafka: str,
        journal: Path,
        messages: Iterable[Message],
        rate: float,
        *,
        transactional: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(name="feeder", daemon=True)
        self._messages = messages
        self._rate = rate
        self._journal = Journal(journal)
        self._transactional = transactional
        self._draw = random.Random(seed)
        self._held: list[Line] = []
        self.sent = 0
        self.failures: list[str] = []
        extra: dict[str, str | int] = {}
        if transactional:
            extra = {"transactional.id": f"chaos-{journal}", "transaction.timeout.ms": PATIENCE_MS}
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "message.timeout.ms": PATIENCE_MS,
                "reconnect.backoff.max.ms": 1_000,
                "linger.ms": 5,
                "log_level": 2,
                **extra,
            }
        )

    def run(self) -> None:
        """Send everything, in order, then wait for the last acknowledgement."""
        try:
            self._feed()
        except Exception as error:
            self.failures.append(repr(error))
        finally:
            self._journal.close()

    def _feed(self) -> None:
        if self._transactional:
            self._producer.init_transactions(60)
            self._producer.begin_transaction()
        began = ended_at = time.monotonic()
        for sequence, message in enumerate(self._messages):
            while (wait_s := began + sequence / self._rate - time.monotonic()) > 0:
                self._producer.poll(min(wait_s, 0.02))
            self._send(sequence, message)
            self._journal.sync()
            self.sent = sequence + 1
            if self._transactional and time.monotonic() - ended_at > TRANSACTION_S:
                self._end_transaction()
                self._producer.begin_transaction()
                ended_at = time.monotonic()
        if self._transactional:
            self._end_transaction()
        if left := self._producer.flush(PATIENCE_MS / 1000):
            self.failures.append(f"{left} messages were not acknowledged")

    def _send(self, sequence: int, message: Message) -> None:
        def delivered(error: KafkaError | None, taken: Delivered) -> None:
            if error is not None:
                if not (self._transactional and error.code() == KafkaError._PURGE_QUEUE):
                    self.failures.append(str(error))
                return
            line = Line(
                sequence,
                message.uri,
                message.meaning,
                message.version,
                message.created,
                message.digest,
                taken.partition() or 0,
                taken.offset() or 0,
                time.time(),
            )
            if self._transactional:
                self._held.append(line)
            else:
                self._journal.add(line)

        while True:
            try:
                self._producer.produce(
                    TOPIC, key=message.uri.encode(), value=message.value, on_delivery=delivered
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _end_transaction(self) -> None:
        """Commit, or now and then abort; only then is it known what counts."""
        self._producer.flush(PATIENCE_MS / 1000)
        aborted = self._draw.random() < ABORTED_SHARE
        if aborted:
            self._producer.abort_transaction(60)
        else:
            self._producer.commit_transaction(60)
        for line in self._held:
            fields = {name: getattr(line, name) for name in line.__struct_fields__}
            self._journal.add(Line(**{**fields, "aborted": aborted}))
        self._held.clear()
