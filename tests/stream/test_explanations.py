"""Questions and answers on a real tasks server."""

from __future__ import annotations

import json

import pytest

from infra import names
from infra.settings import Settings
from stream import explanations
from stream.explanations import NotExplained, Question
from stream.kafka import producer

ASKED = Question(model="topic@1+9f3c", title="Oil", body="Prices rose.")


def test_a_question_is_taken_once_and_its_answer_is_found_under_its_id(isolated: Settings) -> None:
    client, prefix = explanations.connect(isolated), isolated.topic_prefix
    asked = explanations.ask(client, prefix, ASKED)
    again = explanations.ask(client, prefix, ASKED)

    assert asked == again == ASKED.id
    assert explanations.look(client, prefix, asked) is None
    assert explanations.take(client, prefix) == ASKED
    assert explanations.take(client, prefix) is None  # the second was the same question
    explanations.give(client, prefix, ASKED, {"event": "explanation", "label": "crude"})
    assert explanations.wait(client, prefix, asked, 1)["label"] == "crude"
    assert 0 < int(str(client.ttl(names.explanation_key(prefix, asked)))) <= 120


def test_a_failure_is_told_and_soon_forgotten(isolated: Settings) -> None:
    client, prefix = explanations.connect(isolated), isolated.topic_prefix
    asked = explanations.ask(client, prefix, ASKED)
    explanations.give(client, prefix, ASKED, {"event": "error", "text": "no such artifact"})

    with pytest.raises(NotExplained, match="no such artifact"):
        explanations.look(client, prefix, asked)
    assert 0 < int(str(client.ttl(names.explanation_key(prefix, asked)))) <= 5


def test_an_answer_that_never_came_is_told(isolated: Settings) -> None:
    with pytest.raises(NotExplained, match="no worker has answered"):
        explanations.look(explanations.connect(isolated), isolated.topic_prefix, "0" * 32)


def test_junk_in_the_list_is_no_question(isolated: Settings) -> None:
    client, prefix = explanations.connect(isolated), isolated.topic_prefix
    client.rpush(names.explain_queue(prefix), b"\x80junk")

    assert explanations.take(client, prefix) is None


def test_the_article_is_read_from_its_place_on_the_input_topic(isolated: Settings) -> None:
    sender = producer(isolated)
    topic = isolated.topic(names.ARTICLES.name)
    for title in ("Gold", "Oil"):
        value = json.dumps({"uri": "urn:a", "title": title, "body": "Up."}).encode()
        sender.produce(topic, value, b"urn:a", partition=3)
    sender.flush(10)

    at = Question(model="topic@1+9f3c", partition=3, offset=1)
    assert explanations.read(isolated, at) == ("Oil", "Up.")
    beyond = Question(model="topic@1+9f3c", partition=3, offset=7)
    with pytest.raises(NotExplained, match="no article at 3/7"):
        explanations.read(isolated, beyond)
