"""What is an article, and what is refused with which reason."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime

import pytest

from ml import messages
from ml.messages import InvalidArticle, decode_article

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty bytes": (b"", "the message is empty (a kill is a null value, not empty bytes)"),
    "invalid UTF-8": (b'{"uri":"\xff"}', "not UTF-8: byte 8 is 0xff"),
    "a mark and JSON": (b'\xef\xbb\xbf{"uri":"a"}', "byte-order mark; send plain UTF-8"),
    "a mark alone": (b"\xef\xbb\xbf", "byte-order mark; send plain UTF-8"),
    "UTF-16": ('{"uri":"a"}'.encode("utf-16"), "byte-order mark; send plain UTF-8"),
    "UTF-16 unmarked": ('{"uri":"a"}'.encode("utf-16-le"), "not JSON: "),
    "truncated": (b'{"uri":"a","title":"Oil', "not JSON: Unterminated string"),
    "junk": (b"Oil prices rose", "not JSON: Expecting value"),
    "two values": (b'{"uri":"a"}{}', "not JSON: Extra data"),
    "a huge number": (b'{"uri":"a","x":' + b"9" * 5000 + b"}", "not JSON: "),
    "a list": (b"[1]", "expected a JSON object, got [1]"),
    "null": (b"null", "expected a JSON object, got None"),
    "a key twice": (b'{"uri":"a","uri":"b"}', "key 'uri' stands twice in one object"),
    "a key twice within": (b'{"uri":"a","x":{"y":1,"y":2}}', "key 'y' stands twice"),
    "NaN": (b'{"uri":"a","x":NaN}', "NaN is no JSON number"),
    "infinity": (b'{"uri":"a","x":-Infinity}', "-Infinity is no JSON number"),
    "a lone surrogate": (b'{"uri":"a","body":"\\ud800"}', "lone surrogate, U+D800"),
    "a surrogate elsewhere": (b'{"uri":"a","x":"\\uDFFF"}', "lone surrogate, U+DFFF"),
    "a surrogate in the uri": (b'{"uri":"\\udc00"}', "lone surrogate, U+DC00"),
    "a NUL": (b'{"uri":"a","title":"Oil\\u0000"}', "title holds a NUL character"),
    "a NUL in the uri": (b'{"uri":"a\\u0000"}', "uri holds a NUL character"),
    "no uri": (b'{"title":"Oil"}', "uri is missing"),
    "a null uri": (b'{"uri":null}', "uri is missing"),
    "a blank uri": (b'{"uri":" "}', "uri must be a text that is not empty, got ' '"),
    "a number for a uri": (b'{"uri":7}', "uri must be a text that is not empty, got 7"),
    "a long uri": (b'{"uri":"' + b"a" * 2001 + b'"}', "uri has 2001 characters; the limit is 2000"),
    "a list for a title": (b'{"uri":"a","title":["Oil"]}', "title must be a text, got ['Oil']"),
    "a number for a body": (b'{"uri":"a","body":1}', "body must be a text, got 1"),
    "an object for a language": (b'{"uri":"a","language":{}}', "language must be a text, got {}"),
    "a long source": (b'{"uri":"a","source":"' + b"x" * 501 + b'"}', "source has 501 characters"),
    "true for a version": (
        b'{"uri":"a","version":true}',
        "version must be a whole number or a text, got True",
    ),
    "half a version": (
        b'{"uri":"a","version":1.5}',
        "version must be a whole number or a text, got 1.5",
    ),
    "a version beyond 64 bits": (b'{"uri":"a","version":9223372036854775808}', "64 bits"),
    "no such day": (b'{"uri":"a","published_at":"2026-02-30"}', "'2026-02-30' is no date"),
    "no date at all": (b'{"uri":"a","published_at":"soon"}', "published_at: 'soon' is no date"),
    "a number for a date": (b'{"uri":"a","published_at":0}', "must be a date as text (ISO 8601)"),
    "a list as a ninjs body": (b'{"uri":"a","body_text":["x"]}', "body must be a text, got ['x']"),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_article_is_refused_with_its_reason(value: bytes, reason: str) -> None:
    with pytest.raises(InvalidArticle) as refusal:
        decode_article(value)
    assert reason in str(refusal.value)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("field", ["title", "unknown"])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_nesting_a_hundred_thousand_deep_is_refused(field: str, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    nested = opening * 100_000 + "1" + closing * 100_000
    with pytest.raises(InvalidArticle, match="the JSON is nested too deeply"):
        decode_article(f'{{"uri":"a","{field}":{nested}}}'.encode())


def test_a_body_of_ten_megabytes_is_refused() -> None:
    with pytest.raises(InvalidArticle, match="have 10000003 characters; the limit is 1000000"):
        decode_article(b'{"uri":"a","title":"Oil","body":"' + b"x" * 10_000_000 + b'"}')


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_never_read(protocol: int) -> None:
    with pytest.raises(InvalidArticle, match="a Python pickle, which is never read"):
        decode_article(pickle.dumps({"uri": "a"}, protocol=protocol))


def test_a_whole_article_is_read() -> None:
    article = decode_article(
        b'{"uri":"urn:x:1","version":3,"title":"Oil","body":"Crude rose.","language":"en",'
        b'"source":"Reuters","published_at":"1987-03-26T17:00:00+02:00","extra":{"kept":false}}'
    )
    assert article == messages.Article(
        uri="urn:x:1",
        title="Oil",
        body="Crude rose.",
        language="en",
        source="Reuters",
        published_at=datetime(1987, 3, 26, 15, tzinfo=UTC),
        created=datetime(1987, 3, 26, 15, tzinfo=UTC),
        version=3,
    )
    assert article.text == "Oil Crude rose."


def test_an_article_without_text_or_date_is_one() -> None:
    article = decode_article(b'{"uri":"a","title":null,"published_at":""}')
    assert (article.text, article.published_at, article.version) == ("", None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        # Its moment in UTC would lie in the year 10000.
        ("9999-12-31T23:59:59-08:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01T00:00:00+08:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_dates_at_the_edge_are_read(text: str, moment: datetime) -> None:
    article = decode_article(json.dumps({"uri": "a", "published_at": text}).encode())
    assert article.published_at == moment


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert decode_article(b'{"uri":"a","title":"\\ud83d\\udcc8"}').title == "\U0001f4c8"


def test_a_text_at_the_limit_is_read() -> None:
    body = "x" * messages.MAX_TEXT
    assert decode_article(json.dumps({"uri": "a", "body": body}).encode()).body == body


def test_a_result_comes_back_as_it_was() -> None:
    result = messages.Classification(
        uri="a",
        version="v1",
        revision=2,
        digest="0" * 32,
        language="en",
        source=None,
        published_at=None,
        classified_at=messages.timestamp(datetime(2026, 3, 1, 12, tzinfo=UTC)),
        origin=messages.Origin(3, 99),
        subjects=[],
        supersedes=messages.Supersedes("v1", 1),
    )
    assert messages.decode_classification(messages.encode(result)) == result
    assert result.classified_at == "2026-03-01T12:00:00.000Z"
    assert result.event_id == "a/v1/2"
