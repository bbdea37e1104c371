"""The pipeline with plain lists: bytes in, messages out; no Kafka, no Redis, no model."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from ml.messages import decode_classification
from ml.text import digest
from stream import ledger
from stream.account import Account
from stream.ledger import Entry
from stream.outputs import Output, Record
from stream.pipeline import Batch
from tests.stream.house import ENCODER, House


@pytest.fixture
def house() -> House:
    return House()


def result(output: Output) -> dict[str, object]:
    assert output.value is not None
    decoded: dict[str, object] = json.loads(output.value)
    return decoded


def embeddings(batch: Batch) -> list[object]:
    """Return where the embedding of each result came from."""
    return [result(o)["subjects"][0]["embedding"] for o in batch.outputs]  # type: ignore[index]  # JSON


def test_an_article_becomes_one_result_in_the_designs_form(house: House) -> None:
    batch = house.batch(
        {
            "uri": "a",
            "title": "Profit  rises",
            "body": "Net up.",
            "language": "en",
            "source": "Reuters",
            "published_at": "1987-02-26T15:01:01Z",
        }
    )

    [output] = batch.outputs
    value = result(output)
    assert output.topic == "wire.classifications.v1"
    assert (output.key, output.partition) == (b"a", 3)
    assert value.pop("classified_at")
    assert value == {
        "uri": "a",
        "version": 1,
        "revision": 1,
        "digest": digest("Profit rises Net up."),
        "language": "en",
        "source": "Reuters",
        "published_at": "1987-02-26T15:01:01.000Z",
        "origin": {"partition": 3, "offset": 0},
        "subjects": [
            {
                "classifier": "topic",
                "label": "earn",
                "confidence": 0.9,
                "decision": "accept",
                "model": "topic@1+0000",
                "encoder": ENCODER,
                "embedding": "miss",
            }
        ],
        "truncated": False,
        "degraded": False,
        "stale": False,
        "supersedes": None,
    }
    headers = dict(output.headers)
    assert headers["ce_id"] == b"a/1/1"
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"
    assert batch.accounts == {3: Account(first=1)}
    assert batch.next_offsets == {3: 1}


def test_the_producers_trace_is_carried_through(house: House) -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    record = Record(0, 0, b"a", b'{"uri":"a","title":"x"}', [("traceparent", trace)])
    [output] = house.pipeline.classify_batch([record]).outputs
    assert ("traceparent", trace) in output.headers


def test_the_same_version_and_text_again_is_a_duplicate_without_a_result(house: House) -> None:
    article: dict[str, object] = {"uri": "a", "title": "one", "version": 1}
    house.batch(article)
    batch = house.batch(article, article)
    assert batch.outputs == []
    assert batch.accounts == {3: Account(duplicate=2)}
    assert house.engine.asked == ["one"]


def test_a_double_within_one_batch_is_a_duplicate(house: House) -> None:
    article: dict[str, object] = {"uri": "a", "title": "one"}
    batch = house.batch(article, article)
    assert [result(o)["uri"] for o in batch.outputs] == ["a"]
    assert batch.accounts == {3: Account(first=1, duplicate=1)}


def test_the_same_version_with_another_text_is_the_next_revision(house: House) -> None:
    house.batch({"uri": "a", "title": "one", "version": 1})
    [output] = house.batch({"uri": "a", "title": "two", "version": 1}).outputs
    value = result(output)
    assert (value["version"], value["revision"]) == (1, 2)
    assert value["supersedes"] == {"version": 1, "revision": 1}
    assert value["stale"] is False


def test_a_later_version_supersedes_the_earlier_one(house: House) -> None:
    house.batch({"uri": "a", "title": "one", "version": 1})
    [output] = house.batch({"uri": "a", "title": "two", "version": 2}).outputs
    value = result(output)
    assert (value["version"], value["revision"]) == (2, 1)
    assert value["supersedes"] == {"version": 1, "revision": 1}


def test_an_older_version_that_comes_late_is_stale_and_supersedes_nothing(house: House) -> None:
    new: dict[str, object] = {
        "uri": "a",
        "title": "new",
        "version": 2,
        "published_at": "2026-01-02T00:00:00Z",
    }
    old: dict[str, object] = {
        "uri": "a",
        "title": "old",
        "version": 1,
        "published_at": "2026-01-01T00:00:00Z",
    }
    house.batch(new)
    [output] = house.batch(old).outputs
    value = result(output)
    assert (value["version"], value["stale"], value["supersedes"]) == (1, True, None)
    assert house.batch(old).outputs == []
    assert house.batch(new).outputs == []


def test_without_versions_the_order_of_arrival_is_the_version(house: House) -> None:
    house.batch({"uri": "a", "title": "one"})
    [output] = house.batch({"uri": "a", "title": "two"}).outputs
    value = result(output)
    assert (value["version"], value["revision"]) == (2, 1)
    assert value["supersedes"] == {"version": 1, "revision": 1}


def test_a_null_value_kills_and_is_told_downstream_as_a_tombstone(house: House) -> None:
    house.batch({"uri": "a", "title": "one"})
    batch = house.batch(None, key=b"a")
    [output] = batch.outputs
    assert (output.topic, output.key, output.value) == ("wire.classifications.v1", b"a", None)
    assert ("wire-origin", b"3/1") in output.headers
    assert house.cache.forgotten == [next(iter(house.cache.kept))]
    assert batch.accounts == {3: Account(kill=1)}


def test_a_canceled_ninjs_article_is_a_kill(house: House) -> None:
    [output] = house.batch({"uri": "a", "headline": "x", "pubstatus": "canceled"}).outputs
    assert output.value is None


def test_an_article_of_a_killed_uri_stays_dead(house: House) -> None:
    house.batch(None, key=b"a")
    batch = house.batch({"uri": "a", "title": "again"})
    assert [output.value for output in batch.outputs] == [None]
    assert batch.accounts == {3: Account(kill=1)}
    assert house.engine.asked == []


def test_an_embargoed_article_is_held_and_not_answered(house: House) -> None:
    article: dict[str, object] = {
        "uri": "a",
        "headlines": [{"value": "x"}],
        "embargoedUntil": "9999-01-01T00:00:00Z",
    }
    batch = house.batch(article)
    [output] = batch.outputs
    assert output.topic == "wire.held.v1"
    assert output.value == json.dumps(article).encode()
    assert batch.accounts == {3: Account(held=1)}


def test_a_dead_letter_keeps_everything_and_says_why(house: House) -> None:
    record = Record(5, 17, b"k", b"{", [("x", b"1")], 12.5)
    [output] = house.pipeline.classify_batch([record]).outputs
    assert output.topic == "wire.deadletters.v1"
    assert (output.key, output.value, output.timestamp_s) == (b"k", b"{", 12.5)
    headers = dict(output.headers)
    assert headers["x"] == b"1"
    assert headers["__streams.errors.topic"] == b"wire.articles.v1"
    assert headers["__streams.errors.partition"] == b"5"
    assert headers["__streams.errors.offset"] == b"17"
    assert headers["__streams.errors.exception"] == b"InvalidArticle"
    assert headers["__streams.errors.message"].startswith(b"not JSON: ")


def test_a_key_that_is_not_the_uri_is_a_dead_letter(house: House) -> None:
    [output] = house.batch({"uri": "a", "title": "x"}, key=b"b").outputs
    assert dict(output.headers)["__streams.errors.message"] == (
        b"the key is 'b', the uri 'a': they must be the same, for the order of a uri is that of "
        b"its partition"
    )


def test_a_dead_letter_between_two_articles_stops_neither(house: House) -> None:
    batch = house.batch({"uri": "a", "title": "x"}, b"", {"uri": "b", "title": "y"})
    assert [o.topic for o in batch.outputs] == [
        "wire.classifications.v1",
        "wire.deadletters.v1",
        "wire.classifications.v1",
    ]
    assert batch.accounts == {3: Account(first=2, deadletter=1)}


def test_the_same_text_of_another_uri_is_encoded_once(house: House) -> None:
    batch = house.batch({"uri": "a", "title": "same"}, {"uri": "b", "title": "same "})
    assert embeddings(batch) == ["miss", "hit"]
    assert batch.embeddings == {"miss": 1, "hit": 1}
    assert house.engine.asked == ["same"]
    assert batch.embeddings == {"hit": 1, "miss": 1}


def test_an_empty_article_is_an_abstention(house: House) -> None:
    [output] = house.batch({"uri": "a", "title": "", "body": " \n"}).outputs
    [subject] = decode_classification(output.value or b"").subjects
    assert (subject.label, subject.decision, subject.embedding) == (None, "abstain", None)
    assert house.engine.asked == []


def test_a_date_in_the_year_9999_is_ordered_like_any_other(house: House) -> None:
    late: dict[str, object] = {"uri": "a", "title": "late", "published_at": "9999-12-31T23:59:59Z"}
    house.batch(late)
    [output] = house.batch({"uri": "a", "title": "x", "published_at": "2026-01-01"}).outputs
    assert result(output)["stale"] is True


def test_a_thousand_headers_are_accepted(house: House) -> None:
    record = Record(0, 0, b"a", b'{"uri":"a","title":"x"}', [(f"h{n}", b"v") for n in range(1000)])
    [output] = house.pipeline.classify_batch([record]).outputs
    assert output.topic == "wire.classifications.v1"


def test_a_near_text_takes_the_earlier_embedding_and_is_not_encoded(house: House) -> None:
    house.near.alike = {digest("changed"): digest("text")}
    house.batch({"uri": "a", "title": "text"})
    batch = house.batch({"uri": "b", "title": "changed"}, {"uri": "c", "title": "other"})
    assert embeddings(batch) == ["near", "miss"]
    assert batch.embeddings == {"near": 1, "miss": 1}
    assert house.engine.asked == ["text", "other"]


def test_a_near_text_is_encoded_where_the_classifier_is_not_sure(house: House) -> None:
    house.near.alike = {digest("changed"): digest("text")}
    house.batch({"uri": "a", "title": "text"})
    house.serving.confidence = 0.89
    assert embeddings(house.batch({"uri": "b", "title": "changed"})) == ["miss"]
    assert house.engine.asked == ["text", "changed"]


def test_a_copy_of_a_near_text_is_near_again_and_never_a_hit(house: House) -> None:
    house.near.alike = {digest("changed"): digest("text")}
    house.batch({"uri": "a", "title": "text"})
    assert embeddings(house.batch({"uri": "b", "title": "changed"})) == ["near"]
    assert embeddings(house.batch({"uri": "c", "title": "changed"})) == ["near"]
    assert list(house.cache.kept) == [digest("text")]
    assert house.near.kept == {digest("text")}


def test_a_near_text_is_encoded_once_the_earlier_one_was_killed(house: House) -> None:
    house.near.alike = {digest("changed"): digest("text")}
    house.batch({"uri": "a", "title": "text"})
    house.batch(None, key=b"a")
    assert house.near.forgotten == [digest("text")]
    assert embeddings(house.batch({"uri": "b", "title": "changed"})) == ["miss"]


def test_a_text_that_was_cut_says_so_on_a_hit_too(house: House) -> None:
    long = "word " * 50
    first = house.batch({"uri": "a", "title": long}).outputs
    second = house.batch({"uri": "b", "title": long}).outputs
    assert [result(o)["truncated"] for o in first + second] == [True, True]


def test_the_ledger_read_back_from_results_equals_the_ledger_that_was_promised() -> None:
    house = House()
    rebuilt: dict[str, Entry] = {}
    articles: list[dict[str, object] | None] = [
        {"uri": "a", "title": "1", "version": 1, "published_at": "2026-01-01"},
        {"uri": "a", "title": "2", "version": 3, "published_at": "2026-01-03"},
        {"uri": "a", "title": "3", "version": 2, "published_at": "2026-01-02"},
        {"uri": "a", "title": "4", "version": 3, "published_at": "2026-01-03"},
        None,
    ]
    for article in articles:
        for output in house.batch(article, key=b"a").outputs:
            if output.value is None:
                rebuilt["a"] = ledger.killed(rebuilt.get("a")).entry
                continue
            created = dict(output.headers)["wire-created"].decode()
            rebuilt["a"] = ledger.after_result(
                rebuilt.get("a"),
                decode_classification(output.value),
                datetime.fromisoformat(created).timestamp(),
            )
        assert rebuilt == house.ledger.known


def test_an_article_that_kills_the_engine_is_a_dead_letter_and_the_others_are_answered(
    house: House,
) -> None:
    house.engine.poison = {digest("poison")}
    batch = house.batch(
        {"uri": "a", "body": "one"},
        {"uri": "a", "body": "poison", "version": 2},
        {"uri": "a", "body": "two", "version": 3},
    )
    first, dead, last = batch.outputs
    assert [first.topic, dead.topic, last.topic] == [
        "wire.classifications.v1",
        "wire.deadletters.v1",
        "wire.classifications.v1",
    ]
    reason = dict(dead.headers)["__streams.errors.message"].decode()
    assert reason == "the encoder died of this text, and again when it read it alone"
    assert result(last)["supersedes"] == {"version": 1, "revision": 1}
    assert batch.accounts == {3: Account(first=1, revision=1, deadletter=1)}
