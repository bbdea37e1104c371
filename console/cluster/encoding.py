"""What engines and agents report of the encoding, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from console.cluster.processes import Report


class EngineProcess(msgspec.Struct, frozen=True):
    """One process that computes; times of the last minute, None where nobody asked it."""

    encoder: str
    pid: int
    state: str
    rss_bytes: int = 0
    restarts: int = 0
    queue_texts: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def tone(self) -> str:
        """The colour of its dot."""
        return {"ready": "ok", "loading": "info"}.get(self.state, "bad")


class EngineFigures(msgspec.Struct, frozen=True):
    """What an engine measures over all its processes; None where it had nothing to do."""

    queue_texts: int = 0
    tokens_per_s: float | None = None
    texts_per_batch: float | None = None
    tokens_per_batch: float | None = None
    padding_share: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    processes: list[EngineProcess] = []


@dataclass(frozen=True)
class Engine:
    """An engine that reports; `batch_fill` is the share of the token budget that a batch uses."""

    name: str
    figures: EngineFigures
    batch_fill: float | None


class _AgentFigures(msgspec.Struct, frozen=True):
    recent: dict[str, int] = {}
    recent_s: float = 0.0


@dataclass(frozen=True)
class Origins:
    """Where an agent's embeddings came from lately, or those of all agents together."""

    name: str
    hit: int = 0
    near: int = 0
    miss: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.hit + self.near + self.miss

    @property
    def hit_share(self) -> float | None:
        """Return the share that the cache had, None where there were none; as below."""
        return self.hit / self.total if self.total else None

    @property
    def near_share(self) -> float | None:
        """Return the share that an earlier text nearly the same stood for."""
        return self.near / self.total if self.total else None

    @property
    def miss_share(self) -> float | None:
        """Return the share that was encoded."""
        return self.miss / self.total if self.total else None


@dataclass(frozen=True)
class Embeddings:
    """Origins by agent and in sum, of the last `seconds`."""

    agents: list[Origins]
    together: Origins
    seconds: float


def engines(processes: Iterable[Report], token_budget: int) -> list[Engine]:
    """Return the engines that live; one whose figures are not understood shows none."""
    found = []
    for report in processes:
        if report.role != "engine" or report.state == "lost":
            continue
        try:
            figures = msgspec.convert(report.figures, EngineFigures)
        except msgspec.ValidationError:  # of another release, while one replaces the other
            figures = EngineFigures()
        found.append(Engine(report.name, figures, _fill(figures, token_budget)))
    return found


def _fill(figures: EngineFigures, token_budget: int) -> float | None:
    if figures.tokens_per_batch is None or figures.padding_share is None:
        return None
    # The budget counts padding: it costs as much as words.
    return figures.tokens_per_batch / (1 - figures.padding_share) / token_budget


def embeddings(processes: Iterable[Report]) -> Embeddings:
    """Return where the embeddings of the agents that live came from."""
    agents = []
    seconds = 0.0
    for report in processes:
        if report.role != "agent" or report.state == "lost":
            continue
        try:
            figures = msgspec.convert(report.figures, _AgentFigures)
        except msgspec.ValidationError:
            figures = _AgentFigures()
        recent = figures.recent
        agents.append(
            Origins(report.name, recent.get("hit", 0), recent.get("near", 0), recent.get("miss", 0))
        )
        seconds = max(seconds, figures.recent_s)
    together = Origins(
        "all agents",
        sum(agent.hit for agent in agents),
        sum(agent.near for agent in agents),
        sum(agent.miss for agent in agents),
    )
    return Embeddings(agents, together, seconds)
