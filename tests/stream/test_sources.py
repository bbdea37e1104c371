"""Sources: what lies in files and feeds, as it goes to Kafka."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream.publisher import Item
from stream.sources import SourceError, read

RSS = b"""<?xml version="1.0"?>
<rss version="2.0"><channel><title>Wire</title><language>en</language>
<item><guid>urn:1</guid><title>Oil &amp; gas</title><description>&lt;p&gt;Up.&lt;/p&gt;</description>
<pubDate>Thu, 26 Feb 1987 15:01:01 GMT</pubDate></item>
<item><title>no identity</title></item>
</channel></rss>"""

ATOM = b"""<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Wire</title>
<entry><id>urn:2</id><title>Grain</title><content type="text">Wheat fell.</content>
<updated>1987-02-26T15:01:01Z</updated></entry></feed>"""


def test_json_lines_are_keyed_by_their_uri_and_left_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"uri": "a", "title":"x"}\n\n{"uri":"b"}\n')
    assert list(read(str(file))) == [
        Item("a", b'{"uri": "a", "title":"x"}'),
        Item("b", b'{"uri":"b"}'),
    ]


def test_compressed_lines_are_read_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"uri":"a"}\n'))
    assert list(read(str(file))) == [Item("a", b'{"uri":"a"}')]


def test_a_corpus_row_gets_its_id_as_uri(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"id":7,"title":"x"}\n')
    [item] = read(str(file))
    assert item.uri == "7"
    assert json.loads(item.value or b"") == {"id": 7, "title": "x", "uri": "7"}


def test_what_is_no_article_is_passed_on_to_become_a_dead_letter(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"uri":\n\xff\xfe\n')
    assert [item.value for item in read(str(file))] == [b'{"uri":', b"\xff\xfe"]


def test_standard_input_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"uri":"a"}\n')))
    assert list(read("-")) == [Item("a", b'{"uri":"a"}')]


def test_a_ninjs_file_is_one_article_or_a_list_of_them(tmp_path: Path) -> None:
    one, several = tmp_path / "one.json", tmp_path / "several.json"
    one.write_text('{"uri":"a",\n "headline":"x"}')
    several.write_text('[{"uri":"a"},{"uri":"b"}]')
    assert [item.uri for item in read(str(one))] == ["a"]
    assert [item.uri for item in read(str(several))] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "uri", "title", "body"),
    [(RSS, "urn:1", "Oil & gas", "Up."), (ATOM, "urn:2", "Grain", "Wheat fell.")],
)
def test_a_feeds_entries_become_articles_without_markup(
    tmp_path: Path, content: bytes, uri: str, title: str, body: str
) -> None:
    file = tmp_path / "feed.xml"
    file.write_bytes(content)
    [item] = read(str(file))
    fields = json.loads(item.value or b"")
    assert item.uri == uri
    assert (fields["title"], fields["body"], fields["source"]) == (title, body, "Wire")
    assert fields["published_at"] == "1987-02-26T15:01:01.000Z"


def test_a_source_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.jsonl: .*No such file"):
        list(read(str(tmp_path / "missing.jsonl")))
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(SourceError, match="Not a gzipped file"):
        list(read(str(broken)))
    page = tmp_path / "page.xml"
    page.write_bytes(b"<html><p>not a feed")
    with pytest.raises(SourceError, match="neither RSS nor Atom"):
        list(read(str(page)))
