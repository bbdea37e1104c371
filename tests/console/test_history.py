"""The projections, from literal messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from console.history import retention, store
from console.history.models import Answer, Article, DeadLetter, Kill, Position, Result, Tick, place
from console.history.words import terms, words
from tests.console.literal import AT, article, dead_letter, kill, result, write

pytestmark = pytest.mark.django_db


def test_an_article_and_its_result_become_rows() -> None:
    write(
        [article("urn:1", 7, title="Profit rises", body="Net 5 mln", source="Reuters")],
        [result("urn:1", 7)],
    )
    row = Article.objects.get()
    assert (row.uri, row.title, row.body, row.place) == ("urn:1", "Profit rises", "Net 5 mln", 7)
    assert Result.objects.get().classified_at == datetime(2026, 11, 24, 10, 0, 4, tzinfo=UTC)
    answer = Answer.objects.get()
    assert (answer.place, answer.label, answer.confidence) == (7, "earn", 0.97)


def test_rows_and_offsets_are_written_together_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(offsets: object) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(store, "_write_offsets", fail)
    with pytest.raises(RuntimeError):
        write([article("urn:1", 0, title="a")])
    assert not Article.objects.exists()
    assert not Position.objects.exists()


def test_a_batch_read_twice_leaves_one_row() -> None:
    for _ in range(2):
        write([article("urn:1", 0, title="a")], [result("urn:1", 0)])
    assert Article.objects.count() == 1
    assert Result.objects.count() == 1


def test_a_kill_purges_text_results_and_answers() -> None:
    write([article("urn:1", 0, title="secret", body="secret")], [result("urn:1", 0)])
    write([kill("urn:1", 1)])
    row = Article.objects.get(place=0)
    assert (row.title, row.body, row.words, row.status) == ("", "", "", "killed")
    assert not Result.objects.exists()
    assert not Answer.objects.exists()
    assert Kill.objects.get().uri == "urn:1"


def test_what_comes_after_a_kill_is_not_kept_either() -> None:
    write([kill("urn:1", 0)])
    write([article("urn:1", 1, title="secret")], [result("urn:1", 1)])
    assert Article.objects.get(place=1).title == ""
    assert not Result.objects.exists()


def test_an_article_and_its_kill_in_one_batch_leave_no_text() -> None:
    write([article("urn:1", 0, title="secret"), kill("urn:1", 1)], [result("urn:1", 0)])
    assert Article.objects.get(place=0).title == ""
    assert not Result.objects.exists()


def test_a_canceled_article_is_a_kill() -> None:
    write([article("urn:1", 0, headline="secret", pubstatus="canceled")])
    assert Article.objects.get().status == "kill"
    assert Article.objects.get().title == ""
    assert Kill.objects.get().uri == "urn:1"


def test_an_article_that_cannot_be_read_is_listed_by_its_key() -> None:
    broken = article("urn:1", 0)
    write([type(broken)(0, 0, AT, b"urn:1", b'{"uri": NaN}')])
    assert Article.objects.get().uri == "urn:1"
    assert Article.objects.get().status == "unreadable"


def test_a_dead_letter_keeps_reason_origin_and_bounded_bytes() -> None:
    write(letters=[dead_letter(5, b"\xff\x00" * 100_000, "not UTF-8: byte 0 is 0xff")])
    letter = DeadLetter.objects.get()
    assert letter.reason == "not UTF-8: byte 0 is 0xff"
    assert letter.place == 5
    assert letter.value_bytes == 200_000
    assert letter.value is not None
    assert len(letter.value) == 16 * 1024
    assert letter.headers == [["feed", "one"]]


def test_an_article_of_the_year_9999_is_kept() -> None:
    write([article("urn:1", 0, title="far", published_at="9999-12-31T23:59:59Z")])
    moment = Article.objects.get().published_at
    assert moment is not None
    assert moment.year == 9999


def test_ticks_of_two_batches_add_up() -> None:
    write(results=[result("urn:1", 0)])
    write(results=[result("urn:2", 1)])
    tick = Tick.objects.get()
    assert tick.at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert (tick.results, tick.misses, tick.hits) == (2, 2, 0)


def test_places_join_partition_and_offset() -> None:
    assert place(3, 12) == 3_000_000_000_012


def test_chinese_is_searched_by_character_and_phrase() -> None:
    assert words("港口 Strike 2") == "港 口 strike 2"
    assert terms("罢工 third") == ["罢 工", "third"]


def test_retention_deletes_what_is_old_and_keeps_the_rest() -> None:
    write([article("urn:1", 0, title="old"), article("urn:2", 1, title="new")])
    Article.objects.filter(place=0).update(received_at=timezone.now() - timedelta(days=8))
    Article.objects.filter(place=1).update(received_at=timezone.now())
    assert retention.sweep() > 0
    assert [a.title for a in Article.objects.all()] == ["new"]
    assert retention.sweep() == 0
