"""News in JSON 1.x, 2.x and 3.x to the fields that an article has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ml import ninjs
from ml.messages import Article, decode_article

FLAT = {
    "uri": "urn:x:1",
    "version": "2",
    "title": "Oil up",
    "body": "Crude rose.",
    "language": "en",
    "source": "Reuters",
    "published_at": "2026-03-01T10:00:00Z",
    "created": "2026-03-01T11:00:00Z",
    "status": "usable",
    "embargoed_until": None,
}

VERSION_1 = {
    "uri": "urn:x:1",
    "version": "2",
    "headline": "Oil up",
    "body_text": "Crude rose.",
    "body_html": "<p>Not this one.</p>",
    "language": "en",
    "source": "Reuters",
    "firstcreated": "2026-03-01T10:00:00Z",
    "versioncreated": "2026-03-01T11:00:00Z",
    "pubstatus": "usable",
}

VERSION_2 = {
    "uri": "urn:x:1",
    "version": "2",
    "headlines": [
        {"role": "short", "value": "Oil"},
        {"role": "main", "value": "Oil up"},
    ],
    "bodies": [
        {"contenttype": "text/html", "value": "<p>Not this one.</p>"},
        {"contenttype": "text/plain", "value": "Crude rose."},
    ],
    "language": "en",
    "provider": {"name": "Reuters"},
    "firstcreated": "2026-03-01T10:00:00Z",
    "versioncreated": "2026-03-01T11:00:00Z",
    "pubstatus": "usable",
}

VERSION_3 = {
    "uri": "urn:x:1",
    "version": "2",
    "headlines": [{"value": "Oil up"}],
    "bodies": [
        {"contentType": "text/html", "value": "<p>Crude <b>rose</b>.<script>x()</script></p>"}
    ],
    "language": "en",
    "copyrightHolder": {"uri": "Reuters"},
    "firstCreated": "2026-03-01T10:00:00Z",
    "versionCreated": "2026-03-01T11:00:00Z",
    "pubStatus": "usable",
}


@pytest.mark.parametrize("form", [VERSION_1, VERSION_2, VERSION_3], ids=["1.x", "2.x", "3.x"])
def test_every_version_gives_the_same_fields(form: dict[str, Any]) -> None:
    assert ninjs.looks_like(form)
    assert ninjs.flatten(form) == FLAT


def test_the_flat_form_is_not_taken_for_ninjs() -> None:
    assert not ninjs.looks_like({"uri": "a", "title": "Oil", "body": "", "published_at": ""})


def test_a_message_in_ninjs_is_an_article() -> None:
    article = decode_article(
        b'{"uri":"urn:x:1","headline":"Oil up","body_html":"<p>Crude</p><p>rose.</p>",'
        b'"firstcreated":"2026-03-01T10:00:00Z","versioncreated":"2026-03-01T11:00:00Z",'
        b'"embargoed":"2026-03-02T00:00:00Z"}'
    )
    assert article == Article(
        uri="urn:x:1",
        title="Oil up",
        body="Crude\nrose.",
        published_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
        created=datetime(2026, 3, 1, 11, tzinfo=UTC),
        embargoed_until=datetime(2026, 3, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("value", "canceled", "withheld"),
    [
        (b'{"uri":"a","pubstatus":"canceled"}', True, False),
        (b'{"uri":"a","pubStatus":"canceled"}', True, False),
        (b'{"uri":"a","pubstatus":"withheld"}', False, True),
        (b'{"uri":"a","pubstatus":"usable"}', False, False),
    ],
)
def test_the_status_says_what_to_do(value: bytes, canceled: bool, withheld: bool) -> None:
    article = decode_article(value)
    assert (article.canceled, article.withheld) == (canceled, withheld)


def test_junk_among_the_parts_is_passed_over() -> None:
    fields = {"headlines": ["Oil", None, {"value": "Oil up"}], "bodies": [3, {"value": "Crude."}]}
    flat = ninjs.flatten(fields)
    assert (flat["title"], flat["body"]) == ("Oil up", "Crude.")
