"""The pages: closed to strangers, honest when empty, inert with hostile text, cheap with much."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.history.models import DeadLetter, LedgerReading
from console.live.feed import news
from tests.console.literal import article, dead_letter, result, write
from tests.pages import PAGES

HOSTILE = "<script>alert(1)</script><svg onload=alert(2)>\u202egnp.exe\u0301" + "\u0301" * 50_000


@pytest.mark.django_db
@pytest.mark.parametrize("page", [*PAGES, "/series.json", "/status/", "/live/stream/"])
def test_a_stranger_is_sent_to_the_login(client: Client, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")


def test_the_login_opens_the_console(operator: Client) -> None:
    stranger = Client()
    answer = stranger.post("/login/", {"username": "operator", "password": "a long password"})
    assert answer["Location"] == "/"
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_page_says_what_to_do(operator: Client, page: str) -> None:
    answer = operator.get(page)
    assert answer.status_code == 200
    assert b'class="empty"' in answer.content


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere(operator: Client, page: str) -> None:
    answer = operator.get(page)
    text = answer.content.decode()
    assert "http://" not in text
    assert "https://" not in text
    assert "<script>" not in text
    assert " style=" not in text
    assert "script-src 'self';" in answer["Content-Security-Policy"]


def test_hostile_text_is_inert_on_every_page_that_shows_it(operator: Client) -> None:
    write(
        [article("urn:<b>", 0, title=HOSTILE, body=HOSTILE, source="<i>")],
        [result("urn:<b>", 0, source="<i>")],
        [dead_letter(1, HOSTILE.encode(), "<img src=x onerror=alert(3)>")],
    )
    letter = DeadLetter.objects.get()
    for page in (
        "/articles/",
        "/articles/one/?uri=urn:%3Cb%3E",
        "/deadletters/",
        f"/deadletters/{letter.id}/",
    ):
        text = operator.get(page).content.decode()
        assert "<script>alert" not in text, page
        assert "<svg onload" not in text, page
        assert "<img src=x" not in text, page
        assert "\u202e" not in text, page
        assert "\u0301" * 4 not in text, page


def test_the_live_rows_are_data_with_marks_taken_out(db: None) -> None:
    write([article("urn:1", 0, title=HOSTILE)], [result("urn:1", 0)])
    found = news(0)
    assert len(found.rows) == 1
    assert found.rows[0]["title"].startswith("<script>alert(1)</script>")
    assert "\u202e" not in found.rows[0]["title"]
    assert len(json.dumps(found.rows)) < 2_000


def test_the_live_rows_start_anew_after_a_rebuild(db: None) -> None:
    write([article("urn:1", 0, title="a")], [result("urn:1", 0)])
    assert [row["title"] for row in news(10**9).rows] == ["a"]


def test_a_chinese_title_is_found_by_a_word_of_it(operator: Client) -> None:
    write([article("urn:1", 0, title="港口罢工进入第三天"), article("urn:2", 1, title="Oil")])
    text = operator.get("/articles/?q=罢工").content.decode()
    assert "港口罢工进入第三天" in text
    assert "Oil" not in text


def test_a_search_by_answer_and_word_needs_both(operator: Client) -> None:
    write(
        [article("urn:1", 0, title="wheat crop"), article("urn:2", 1, title="wheat price")],
        [result("urn:1", 0)],
    )
    text = operator.get("/articles/?q=wheat&classifier=topic&label=earn").content.decode()
    assert "wheat crop" in text
    assert "wheat price" not in text


def test_a_whole_uri_leads_to_its_article(operator: Client) -> None:
    write([article("urn:a/b?c#d", 0, title="Found")], [result("urn:a/b?c#d", 0)])
    answer = operator.get("/articles/", {"q": "urn:a/b?c#d"}, follow=True)
    assert answer.redirect_chain[0][0] == "/articles/one/?uri=urn%3Aa%2Fb%3Fc%23d"
    assert "Found" in answer.content.decode()


@pytest.mark.parametrize("key", ["-1", "1e18", "999999999999999999999", "x", "٣"])
def test_a_senseless_page_key_is_no_error(operator: Client, key: str) -> None:
    assert operator.get("/articles/", {"before": key}).status_code == 200


def test_what_is_not_there_is_404(operator: Client) -> None:
    for page in ("/articles/one/?uri=none", "/models/none/", "/datasets/..%2f/", "/deadletters/9/"):
        assert operator.get(page).status_code == 404


def test_the_front_page_shows_the_ledgers_identity(operator: Client) -> None:
    LedgerReading.objects.create(
        at=timezone.now(),
        inputs=1_010,
        first_results=1_000,
        later_revisions=4,
        dead_letters=3,
        kills=1,
        duplicates=2,
        held=0,
        waiting=0,
        difference=0,
    )
    text = operator.get("/").content.decode()
    assert 'data-difference="0"' in text
    assert "1,010" in text


@pytest.mark.parametrize("page", ["/", "/articles/", "/deadletters/"])
def test_a_full_page_costs_no_more_queries_than_a_short_one(operator: Client, page: str) -> None:
    def fill(first: int, last: int) -> int:
        span = range(first, last)
        write(
            [article(f"urn:{n}", n, title="t") for n in span],
            [result(f"urn:{n}", n) for n in span],
            [dead_letter(n, b"x", "broken") for n in span],
        )
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert operator.get(page).status_code == 200
        return len(queries)

    assert fill(0, 1) == fill(1, 60)
