"""What a standby's vectors lead to, and how their results are answered again; plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ml.messages import decode_classification
from ml.text import digest
from stream.account import Account
from stream.embedding_cache import Embedding
from stream.engine_wire import Description
from stream.ledger import Entry, Seen, after_result
from stream.outputs import Record
from stream.pipeline import Batch, Pipeline
from tests.stream.house import ENCODER, CountingEngine, DictCache, FixedServing, House

TWIN = "tiny-int8+0000"
OWN = Description(ENCODER, "f" * 32, 4, ["en"], "none", "f32")
IN_ITS_PLACE = Description(TWIN, "e" * 32, 4, ["en"], "none", "int8", absent="f" * 32)
OIL: dict[str, object] = {"uri": "a", "title": "Oil", "body": "up"}
OIL_DIGEST = digest("Oil up")


class Engine(CountingEngine):
    """An engine whose twin answers while the encoder is `away`."""

    away = False

    def embed(self, encoder: str, texts: Sequence[str]) -> list[Embedding]:
        found = super().embed(encoder, texts)
        return [replace(e, standby=TWIN) for e in found] if self.away else found


class Serving(FixedServing):
    description = OWN

    def encoders(self) -> dict[str, Description]:
        return {ENCODER: self.description}


class Cache(DictCache):
    """A cache that knows of which fingerprints it was told to forget."""

    def __init__(self) -> None:
        super().__init__()
        self.purged: list[str] = []

    def forget(self, fingerprints: Sequence[str], digests: Sequence[str]) -> bool:
        self.purged += fingerprints
        return super().forget(fingerprints, digests)


class Standing(House):
    """A house with a standby."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.deployed, self.vectors = Engine(), Serving(), Cache()
        self.pipeline = Pipeline(self.ledger, self.vectors, self.encoder, self.deployed, self.near)

    def again(self, value: dict[str, object]) -> Batch:
        """Publish an article as rescoring does."""
        raw, uri = json.dumps(value).encode(), str(value["uri"]).encode()
        record = Record(3, self.offset, uri, raw, [("wire-reason", b"rescore")])
        self.offset += 1
        return self.pipeline.classify_batch([record])


@pytest.fixture
def house() -> Standing:
    return Standing()


def results(batch: Batch) -> list[dict[str, Any]]:
    return [json.loads(output.value or b"") for output in batch.outputs]


def told(batch: Batch) -> tuple[int, bool, dict[str, int] | None]:
    """Return revision, degraded and supersedes of a batch's one result."""
    [result] = results(batch)
    return result["revision"], result["degraded"], result["supersedes"]


def test_a_result_on_a_standbys_vector_says_so_and_the_vector_is_not_kept(house: Standing) -> None:
    house.encoder.away = True
    [short, long] = results(house.batch(OIL, {"uri": "b", "body": "word " * 40}))
    assert (short["degraded"], short["truncated"]) == (True, False)
    assert (long["degraded"], long["truncated"]) == (True, True)
    [subject] = short["subjects"]
    assert (subject["encoder"], subject["model"]) == (TWIN, "topic@1+0000")
    assert (subject["label"], subject["embedding"]) == ("earn", "miss")
    assert (house.vectors.kept, house.near.kept) == ({}, set())
    assert house.ledger.known["a"] == Entry(Seen(1, 1, OIL_DIGEST), degraded=True)


def test_what_the_cache_has_is_no_degraded_result(house: Standing) -> None:
    house.batch(OIL)
    house.encoder.away = True
    [known, new] = results(house.batch({**OIL, "uri": "b"}, {"uri": "c", "body": "new"}))
    assert (known["degraded"], known["subjects"][0]["encoder"]) == (False, ENCODER)
    assert (new["degraded"], new["subjects"][0]["encoder"]) == (True, TWIN)
    assert list(house.vectors.kept) == [OIL_DIGEST]


def test_an_article_nobody_reads_is_not_degraded(house: Standing) -> None:
    house.encoder.away = True
    [result] = results(house.batch({**OIL, "language": "zh"}))
    assert (result["degraded"], result["subjects"][0]["encoder"]) == (False, ENCODER)


def test_a_degraded_result_is_answered_again_once(house: Standing) -> None:
    house.encoder.away = True
    house.batch(OIL)
    house.encoder.away = False
    again = house.again(OIL)
    assert told(again) == (2, False, {"version": 1, "revision": 1})
    assert again.accounts == {3: Account(revision=1)}
    assert house.ledger.known["a"] == Entry(Seen(1, 2, OIL_DIGEST))
    assert list(house.vectors.kept) == [OIL_DIGEST]
    twice = house.again(OIL)
    assert (twice.outputs, twice.accounts) == ([], {3: Account(duplicate=1)})


def test_answered_again_by_the_standby_it_stays_degraded(house: Standing) -> None:
    house.encoder.away = True
    house.batch(OIL)
    assert told(house.again(OIL)) == (2, True, {"version": 1, "revision": 1})
    house.encoder.away = False
    assert told(house.again(OIL)) == (3, False, {"version": 1, "revision": 2})


def test_what_was_answered_since_is_not_answered_again(house: Standing) -> None:
    house.encoder.away = True
    house.batch({**OIL, "version": 1}, {**OIL, "uri": "killed"})
    house.encoder.away = False
    house.batch({**OIL, "version": 2, "body": "down"})
    house.batch(None, key=b"killed")
    for published in (
        {**OIL, "version": 1},
        {**OIL, "version": 2, "body": "down"},
        {**OIL, "uri": "killed"},
        {**OIL, "uri": "never seen"},
    ):
        assert house.again(published).outputs == [], published
    assert house.ledger.known["killed"].killed


def test_an_older_version_that_comes_late_leaves_the_newest_degraded(house: Standing) -> None:
    house.encoder.away = True
    house.batch({**OIL, "version": 2})
    house.encoder.away = False
    [late] = results(house.batch({**OIL, "version": 1, "body": "earlier"}))
    assert (late["stale"], late["degraded"]) == (True, False)
    assert told(house.again({**OIL, "version": 2})) == (2, False, {"version": 2, "revision": 1})


def test_the_newest_of_two_versions_in_a_batch_is_the_degraded_one(house: Standing) -> None:
    house.encoder.away = True
    house.batch({**OIL, "version": 1}, {**OIL, "version": 2, "body": "down"})
    entry = house.ledger.known["a"]
    assert (entry.latest, entry.degraded) == (Seen(2, 1, digest("Oil down")), True)
    assert house.again({**OIL, "version": 1}).outputs == []


def test_while_a_standby_describes_itself_the_cache_is_neither_read_nor_written(
    house: Standing,
) -> None:
    house.batch(OIL)
    house.deployed.description = IN_ITS_PLACE
    [result] = results(house.batch({**OIL, "uri": "b"}, {"uri": "c", "body": "new"}))[:1]
    assert (result["subjects"][0]["embedding"], result["degraded"]) == ("miss", False)
    assert list(house.vectors.kept) == [OIL_DIGEST]
    house.batch(None, key=b"a")
    assert house.vectors.purged == ["f" * 32]


def test_the_entry_read_back_from_the_results_is_the_one_that_was_promised(house: Standing) -> None:
    house.encoder.away = True
    batches = [house.batch(OIL)]
    house.encoder.away = False
    for batch in (*batches, house.again(OIL)):
        [output] = batch.outputs
        read = after_result(None, decode_classification(output.value or b""), None)
        assert read == batch.entries[3]["a"]


def test_an_entry_stored_before_there_were_standbys_is_read() -> None:
    stored = msgspec.msgpack.encode([[1, 1, "d" * 32], 2.0, [], False])
    read = msgspec.msgpack.decode(stored, type=Entry)
    assert read == Entry(Seen(1, 1, "d" * 32), 2.0, degraded=False)
