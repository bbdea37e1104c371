"""The Faust app: one input topic, options as the exactly-once recipe needs them.

Run as `python -m stream.app worker --without-web -l warn`. Everything that wants a new result
publishes to the one input topic: each uri has one writer, and a backlog on one topic cannot starve
another. Faust commits and sends nothing, see `stream.transactions`.
"""

from __future__ import annotations

import logging
from typing import Any

import faust
import threadpoolctl
from faust.transport.drivers.aiokafka import Transport

from infra import names
from infra.settings import Settings, load
from stream import account
from stream.agents import Agent
from stream.consumer import BoundedConsumer

NEVER_S = 86_400.0
REBALANCE_S = 120.0  # far above the longest batch: a member that computes is not dead
MAX_POLL_S = 1_000.0


class BoundedTransport(Transport):
    """Faust's Kafka transport with our consumer."""

    Consumer = BoundedConsumer


def build(settings: Settings) -> faust.App:
    """Return the app of one agent process."""
    topic = settings.topic(names.ARTICLES.name)
    app = faust.App(
        account.group(settings),
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        datadir=str(settings.home / "run" / settings.process),
        topic_partitions=names.PARTITIONS,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.process,
        consumer_max_fetch_size=names.MAX_MESSAGE_OUT,
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
    app.transport = BoundedTransport(app.conf.broker_consumer, app)
    articles = app.topic(
        topic, key_serializer="raw", value_serializer="raw", partitions=names.PARTITIONS
    )
    agent = Agent(app, settings)

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
