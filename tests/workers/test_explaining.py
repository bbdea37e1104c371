"""The worker's explainer as a process, with a program that plays TensorFlow's part."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from infra.settings import Settings
from stream.explanations import Question
from workers.explaining import WarmExplainer

PLAY = """
import json, sys
setup = json.loads(sys.stdin.readline())
for line in sys.stdin:
    asked = json.loads(line)
    if asked["body"] == "die":
        sys.exit(3)
    if asked["body"] == "junk":
        print("no JSON", flush=True)
        continue
    print(json.dumps({"event": "explanation", "id": asked["id"], "label": asked["model"]}), flush=True)
"""
COMMAND = (sys.executable, "-c", PLAY)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), home=tmp_path, explainer_idle_s=1.0)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_one_process_answers_many_questions(settings: Settings) -> None:
    with WarmExplainer(settings, COMMAND) as explainer:
        before = explainer.pid  # none before somebody asks
        first = explainer.explain(Question(model="topic@1+9f3c", body="oil"))
        pid = explainer.pid
        second = explainer.explain(Question(model="topic@2+ab12", body="oil"))

        assert before is None
        assert (first["label"], second["label"]) == ("topic@1+9f3c", "topic@2+ab12")
        assert explainer.pid == pid is not None
    assert _gone(pid)


@pytest.mark.parametrize("body", ["die", "junk"])
def test_a_process_that_fails_is_one_error_and_the_next_question_has_a_new_one(
    settings: Settings, body: str
) -> None:
    with WarmExplainer(settings, COMMAND) as explainer:
        failed = explainer.explain(Question(model="topic@1+9f3c", body=body))
        answered = explainer.explain(Question(model="topic@1+9f3c", body="oil"))

    assert failed["event"] == "error"
    assert "ask again" in failed["text"]
    assert answered["event"] == "explanation"


def test_a_process_that_nobody_asks_ends(settings: Settings) -> None:
    with WarmExplainer(settings, COMMAND) as explainer:
        explainer.explain(Question(model="topic@1+9f3c", body="oil"))
        pid = explainer.pid
        explainer.rest()
        assert explainer.pid == pid is not None  # asked a moment ago
        time.sleep(1.1)
        explainer.rest()

        assert explainer.pid is None
        assert _gone(pid)
