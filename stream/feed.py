"""The demonstration feed: Reuters newswire of 1987 replayed for ever, and a few Chinese headlines.

Run as `python -m stream.feed`. Each pass gives the articles new uris, so that they are new to the
ledger, and the same texts, so that from the second pass on the cache answers. Now and then an
article is published again: unchanged (a duplicate) or changed (its next version). The Chinese
headlines show that an encoder for English alone abstains from them instead of guessing.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from infra.settings import Settings, load
from ml.artifact import find_dataset
from ml.datasets import Row, load_dataset
from ml.messages import timestamp
from stream import heartbeat, kafka
from stream.publisher import Item, PublishFailed, publish

DATASET = "r52"
TITLE_WORDS = 9  # the corpus has no headlines of its own: its first words serve
CHINESE_EVERY = 12
UPDATED_EVERY = 40
DUPLICATED_EVERY = 30
AGAIN_S = 2.0

log = logging.getLogger(__name__)


def articles(rows: list[Row], headlines: list[dict[str, str]], batch: str) -> Iterator[Item]:
    """Yield one pass over `rows` in a shuffled order; `batch` makes its uris new."""
    shuffled = list(rows)
    random.Random(batch).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    chinese = itertools.cycle(enumerate(headlines))
    for n, row in enumerate(shuffled, 1):
        words = row.text.split(" ")
        fields = {
            "uri": f"{row.uri}#{batch}",
            "title": " ".join(words[:TITLE_WORDS]),
            "body": " ".join(words[TITLE_WORDS:]),
            "language": "en",
            "source": "Reuters",
            "published_at": _now(),
        }
        yield _item(fields)
        if n % DUPLICATED_EVERY == 0:
            yield _item(fields)
        if n % UPDATED_EVERY == 0:
            body = f"{fields['body']} (adds details)"
            yield _item({**fields, "body": body, "published_at": _now()})
        if n % CHINESE_EVERY == 0:
            place, headline = next(chinese)
            yield _item(
                {
                    "uri": f"demo:zh/{place}/{n}#{batch}",
                    **headline,
                    "language": "zh",
                    "source": "演示电讯",
                    "published_at": _now(),
                }
            )


def _item(fields: dict[str, Any]) -> Item:
    return Item(str(fields["uri"]), msgspec.json.encode(fields))


def _now() -> str:
    return timestamp(datetime.now(UTC))


def _headlines() -> list[dict[str, str]]:
    lines = Path(__file__).with_name("headlines_zh.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _counted(items: Iterable[Item], counter: dict[str, Any]) -> Iterator[Item]:
    for item in items:
        counter["published"] += 1
        yield item


def main(settings: Settings) -> None:
    """Publish for ever at the set rate; wait where Kafka is away."""
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    signal.signal(signal.SIGTERM, _end)
    dataset = find_dataset(settings.home, DATASET)
    _, rows = load_dataset(settings.home, dataset.id)
    figures: dict[str, Any] = {"published": 0, "source": dataset.id}
    heartbeat.start(settings, "feed", lambda: figures)
    while True:
        items = articles(rows, _headlines(), datetime.now(UTC).strftime("%Y%m%dT%H%M%S"))
        try:
            publish(settings, _counted(items, figures), rate=settings.feed_rate)
        except (PublishFailed, kafka.KafkaUnavailable) as error:
            log.warning("the feed starts its pass anew: %s", error)
            time.sleep(AGAIN_S)


def _end(_: int, __: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main(load())
