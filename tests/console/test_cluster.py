"""The cluster page: what engines and agents report, and what it makes of nonsense."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from console.cluster import encoding
from console.cluster.encoding import Origins
from console.cluster.processes import Report
from console.history.models import Process

ENGINE = {
    "ready": True,
    "queue_texts": 21,
    "tokens_per_s": 31_234.5,
    "texts_per_batch": 11.2,
    "tokens_per_batch": 912.0,
    "padding_share": 0.05,
    "p50_ms": 49.0,
    "p95_ms": 131.7,
    "p99_ms": 176.2,
    "processes": [
        {
            "encoder": "minilm-l6+17e1",
            "pid": 4321,
            "state": "ready",
            "rss_bytes": 612 * 2**20,
            "restarts": 2,
            "queue_texts": 12,
            "p50_ms": 48.2,
            "p95_ms": 130.1,
            "p99_ms": 171.9,
        },
        {"encoder": "e5-small+9c1d", "pid": 4388, "state": "loading", "rss_bytes": 0},
    ],
}


def report(name: str, role: str, figures: dict[str, Any], state: str = "ready") -> Report:
    seen = datetime(2026, 11, 24, tzinfo=UTC)
    return Report(name, role, "host", state, 1, seen, seen, 1.0, 1, figures)


def agent(name: str, hit: int, near: int, miss: int, state: str = "ready") -> Report:
    recent = {"hit": hit, "near": near, "miss": miss}
    return report(name, "agent", {"recent": recent, "recent_s": 300.0}, state)


def reported(role: str, figures: dict[str, Any]) -> None:
    """Let the history have seen a process's report."""
    raw = {
        "name": f"{role}-1",
        "role": role,
        "host": "host",
        "pid": 1,
        "since": 1_000.0,
        "cpu_percent": 1.0,
        "rss_bytes": 1,
        "at": 2_000.0,
        "figures": figures,
    }
    seen = datetime.now(UTC)
    Process.objects.create(host="host", name=f"{role}-1", role=role, report=raw, seen_at=seen)


def words(client: Client) -> str:
    """Return the page's text, marks left out."""
    text = client.get("/cluster/").content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_origins_are_shares_by_agent_and_in_sum() -> None:
    found = encoding.embeddings([agent("agent-1", 6, 1, 3), agent("agent-2", 0, 0, 10)])
    assert found.agents == [Origins("agent-1", 6, 1, 3), Origins("agent-2", 0, 0, 10)]
    assert found.agents[0].hit_share == 0.6
    assert found.agents[0].near_share == 0.1
    assert found.agents[0].miss_share == 0.3
    assert (found.together.hit_share, found.together.total) == (0.3, 20)
    assert found.seconds == 300.0


def test_an_agent_without_articles_has_no_shares_and_a_lost_one_no_row() -> None:
    found = encoding.embeddings([agent("agent-1", 0, 0, 0), agent("agent-2", 9, 9, 9, "lost")])
    assert [a.name for a in found.agents] == ["agent-1"]
    assert found.together.hit_share is None


def test_a_batchs_fill_counts_its_padding() -> None:
    [engine] = encoding.engines([report("engine", "engine", ENGINE)], token_budget=1024)
    assert engine.batch_fill == pytest.approx(912 / 0.95 / 1024)


@pytest.mark.parametrize(
    "figures", [{}, {"processes": None}, {"queue_texts": "many"}, {"processes": [{"pid": "x"}]}]
)
def test_figures_that_are_not_understood_are_left_out(figures: dict[str, Any]) -> None:
    [engine] = encoding.engines([report("engine", "engine", figures)], token_budget=1024)
    assert (engine.figures.processes, engine.batch_fill) == ([], None)


def test_the_page_shows_every_process_of_the_engine(operator: Client) -> None:
    reported("engine", ENGINE)
    text = words(operator)
    assert "Tokens 31,234 /s Texts a batch 11.2 Batch fill 94 % Padding 5.0 %" in text
    assert "Answers: p50 49.0 ms p95 132 ms p99 176 ms" in text
    assert "minilm-l6+17e1 ready 4321 12 48.2 ms 130 ms 172 ms 612 MiB 2" in text
    assert "e5-small+9c1d loading 4388 0 – – – 0 B 0" in text


def test_the_page_shows_where_embeddings_came_from(operator: Client) -> None:
    reported("agent", {"recent": {"hit": 6, "near": 1, "miss": 3}, "recent_s": 300.0})
    text = words(operator)
    assert "Embeddings the last 5 min" in text
    assert "agent-1 60.0 % 10.0 % 30.0 % 10" in text
    assert "WIREROOM_NEAR_DUPLICATES" in text


def test_the_overview_says_how_many_were_near(operator: Client) -> None:
    assert " near</small>" not in operator.get("/").content.decode()
    reported("agent", {"recent": {"hit": 6, "near": 1, "miss": 3}, "recent_s": 300.0})
    assert "10.0 % near</small>" in operator.get("/").content.decode()
