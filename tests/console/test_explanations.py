"""The panel that explains: asks a worker, waits, shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings

from infra.settings import Settings
from stream import explanations
from tests.console.literal import article, result, write

TEXT = "Oil up. <script>alert(1)</script> rose."
ANSWER: dict[str, Any] = {
    "event": "explanation",
    "model": "topic@1+9f3c",
    "encoder": "minilm-l6+53aa",
    "label": "crude",
    "confidence": 0.97,
    "decision": "accept",
    "text": TEXT,
    "truncated": False,
    "baseline": "mask",
    "log_odds": 3.5,
    "log_odds_baseline": -6.5,
    "steps": 16,
    "completeness_error": 0.0123,
    "words": [
        {"start": 0, "end": 3, "weight": 9.0, "attention": 0.1},
        {"start": 4, "end": 7, "weight": -1.8, "attention": 0.5},
        {"start": 8, "end": 33, "weight": 0.4, "attention": 0.1},
    ],
    "sentences": [
        {"start": 0, "end": 7, "drop": 0.4, "label": "earn", "confidence": 0.6, "flips": True},
        {"start": 8, "end": 39, "drop": 0.0, "label": "crude", "confidence": 0.97, "flips": False},
    ],
    "nearest": [
        {
            "uri": "r8/1",
            "title": "<b>gas</b>",
            "label": "crude",
            "split": "train",
            "similarity": 0.8,
        }
    ],
    "dataset": "r8+33abca7c",
    "note": "",
    "seconds": 0.8,
}


@pytest.fixture
def asked_at(operator: Client, isolated: Settings) -> Iterator[tuple[Client, Settings]]:
    write([article("urn:a", 0, title="Oil up", body="It rose.")], [result("urn:a", 0)], [])
    with override_settings(WIREROOM=isolated):
        yield operator, isolated


def _ask(operator: Client, **fields: str) -> str:
    asked = {"place": "0", "classifier": "topic", **fields}
    return operator.post("/articles/explain/", asked).content.decode()


def test_the_article_offers_an_explanation_of_its_answer(operator: Client) -> None:
    write([article("urn:a", 0, title="Oil up", body="It rose.")], [result("urn:a", 0)], [])

    page = operator.get("/articles/one/?uri=urn:a").content.decode()

    assert "Explain topic: earn" in page
    assert " style=" not in page


def test_a_question_waits_for_a_worker_and_then_shows_its_answer(
    asked_at: tuple[Client, Settings],
) -> None:
    operator, settings = asked_at
    client, prefix = explanations.connect(settings), settings.topic_prefix
    waiting = _ask(operator)
    question = explanations.take(client, prefix)
    assert question is not None
    address = f"/articles/explanation/{question.id}/"

    assert address in waiting
    assert address in operator.get(address).content.decode()  # not yet: asks again
    assert (question.model, question.partition, question.offset) == ("topic@1+9f3c", 0, 0)
    explanations.give(client, prefix, question, ANSWER)
    shown = operator.get(address).content.decode()

    assert '<mark class="for-5" title="+9.000">Oil</mark>' in shown
    assert '<mark class="against-1" title="-1.800">up.</mark>' in shown
    assert '<mark class="seen-5" title="+0.5000">up.</mark>' in shown
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "<b>gas" not in shown
    assert "-40.0" in shown  # points of confidence that the first sentence carries
    assert "10.00 log-odds" in shown
    assert "hx-get" not in shown


def test_a_worker_that_cannot_explain_says_why(asked_at: tuple[Client, Settings]) -> None:
    operator, settings = asked_at
    client, prefix = explanations.connect(settings), settings.topic_prefix
    _ask(operator, label="sport")
    question = explanations.take(client, prefix)
    assert question is not None
    assert question.label == "sport"
    explanations.give(client, prefix, question, {"event": "error", "text": "no label 'sport'"})

    shown = operator.get(f"/articles/explanation/{question.id}/").content.decode()

    assert "no label &#x27;sport&#x27;" in shown


@pytest.mark.parametrize("fields", [{"place": "7"}, {"place": "x"}, {"classifier": "mood"}])
def test_nothing_is_asked_about_what_is_not_there(operator: Client, fields: dict[str, str]) -> None:
    asked = {"place": "0", "classifier": "topic", **fields}

    assert operator.post("/articles/explain/", asked).status_code == 404


def test_an_address_of_no_question_is_not_found(operator: Client) -> None:
    assert operator.get("/articles/explanation/..%2Fx/").status_code == 404
    assert operator.get("/articles/explanation/zz/").status_code == 404
