"""The demonstration feed: one pass over the newswire."""

from __future__ import annotations

import json

from ml.datasets import Row
from ml.messages import decode_article
from stream.feed import articles

ROWS = [
    Row(
        uri=f"r/{n}",
        title="",
        body=f"shares rose {n} pct in heavy trading today",
        labels=("x",),
        split="test",
    )
    for n in range(60)
]
HEADLINES = [{"title": "大豆期货收盘走低", "body": "价格承压。"}]


def test_a_pass_holds_every_row_and_chinese_headlines_duplicates_and_updates() -> None:
    items = list(articles(ROWS, HEADLINES, "p1"))
    fields = [json.loads(item.value or b"") for item in items]
    english = [f for f in fields if f["language"] == "en"]
    chinese = [f for f in fields if f["language"] == "zh"]
    assert {f["uri"] for f in english} == {f"{row.uri}#p1" for row in ROWS}
    assert len(english) == 60 + 2 + 1  # two duplicates, one update
    assert len(chinese) == 5
    assert len({f["uri"] for f in chinese}) == 5


def test_a_row_keeps_its_text_so_that_its_embedding_is_reused() -> None:
    texts = {decode_article(item.value or b"").text for item in articles(ROWS, HEADLINES, "p1")}
    assert {row.text for row in ROWS} <= texts


def test_another_pass_has_other_uris() -> None:
    first = {item.uri for item in articles(ROWS, HEADLINES, "p1")}
    second = {item.uri for item in articles(ROWS, HEADLINES, "p2")}
    assert first.isdisjoint(second)
