"""The Faust app: one input topic, options as the exactly-once recipe needs them.

Run as `python -m stream.app worker --without-web -l warn`. Two topics in one app would share
transactional ids, so everything that wants a new result publishes to the one input topic.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import faust
import threadpoolctl
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.drivers.aiokafka import Producer, Transport

from infra import names
from infra.settings import Settings, load
from stream.agents import Agent
from stream.consumer import BoundedConsumer
from stream.transactions import Transactions, group
from stream.watchdog import end_process

NEVER_S = 86_400.0
TRANSACTION_MS = 10_000  # how long a dead agent's open transaction can hold back readers
REBALANCE_S = 120.0  # far above the longest batch: a member that computes is not dead
MAX_POLL_S = 1_000.0


class Assignor(PartitionAssignor):
    """Faust's own, less its idea that a lost partition is a standby whose producer goes on."""

    def is_standby(self, tp: Any) -> bool:  # noqa: ARG002 - Faust calls it so
        """Never: this app has no tables."""
        return False


class TimedProducer(Producer):
    """Faust's own, with the transaction timeout, for which it has no setting (60 s by default)."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {**super()._settings_extra(), "transaction_timeout_ms": TRANSACTION_MS}


class ExactTransport(Transport):
    """Faust's Kafka transport with our consumer and producer."""

    Consumer = BoundedConsumer
    Producer = TimedProducer


def build(settings: Settings) -> faust.App:
    """Return the app of one agent process."""
    topic = settings.topic(names.ARTICLES.name)
    app = faust.App(
        group(settings.topic_prefix),
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        datadir=str(settings.home / "run" / settings.process),
        topic_partitions=names.PARTITIONS,
        processing_guarantee="exactly_once",
        PartitionAssignor=Assignor,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.process,
        consumer_max_fetch_size=names.MAX_MESSAGE_OUT,
        producer_max_request_size=names.MAX_MESSAGE_OUT + 64 * 1024,
        producer_max_batch_size=256 * 1024,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4,
        broker_rebalance_timeout=REBALANCE_S,
        broker_max_poll_interval=MAX_POLL_S,
        broker_max_poll_records=settings.batch_articles,
        stream_buffer_maxsize=4 * settings.batch_articles,
        broker_commit_interval=NEVER_S,
        broker_commit_every=10**12,
        broker_commit_livelock_soft_timeout=1e6,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
    )
    app.transport = ExactTransport(app.conf.broker_consumer, app)
    app.producer_transport = ExactTransport(app.conf.broker_producer, app)
    articles = app.topic(
        topic, key_serializer="raw", value_serializer="raw", partitions=names.PARTITIONS
    )
    agent = Agent(app, settings)
    transactions = Transactions(app, topic)

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]  # Faust calls it by keyword
    async def check_producers(_: Any, assigned: set[Any], **__: Any) -> None:
        if lacking := transactions.missing({tp.partition for tp in assigned}):
            end_process(f"no producer for {sorted(lacking)}")

    @app.agent(articles, name="classify")
    async def classify(stream: Any) -> None:
        await agent.run(stream)

    return app


def main() -> None:
    """Run one agent; Faust reads its own command line."""
    settings = load()
    logging.basicConfig(level=settings.log_level.upper())
    # Faust's spinner sets the root logger to DEBUG, and every message sent cost a log record.
    for library in ("aiokafka", "asyncio", "faust", "mode"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # A head's matmul is too small to share: OpenBLAS's second thread spun 2 ms for 50 us of work.
    threadpoolctl.threadpool_limits(1, user_api="blas")
    build(settings).main()


if __name__ == "__main__":
    main()
