"""What is done to the running system, and when."""

from __future__ import annotations

import random
import signal
import threading
import time
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ml.artifact import find_encoder
from tests.chaos import spoiling
from tests.chaos.kinds import KINDS, SWAPS
from tests.chaos.versions import Swaps
from tests.keeping_away import kill_workers
from tests.running import Running

FREEZE_S = 20.0
FREEZING = ("freeze", "cachehang")
GAP = (0.5, 1.5)  # of the mean distance between two faults
ENCODER = "minilm-l6"  # which serves
AGENTS_S = 60.0  # for an agent that was struck to be there again
SIGNALS = {
    "kill": signal.SIGKILL,
    "killboth": signal.SIGKILL,
    "term": signal.SIGTERM,
    "freeze": signal.SIGSTOP,
}


@dataclass(frozen=True)
class Struck:
    """One fault that happened; `at` in seconds since 1970."""

    kind: str
    names: tuple[str, ...]
    at: float

    @property
    def bound_s(self) -> float | None:
        """Seconds within which a new result must come, None where there is no bound."""
        return KINDS[self.kind].bound_s


def moments(kinds: list[str], span_s: float, draw: random.Random) -> list[float]:
    """Return when to strike, in seconds from the beginning: all of them within `span_s`.

    A freeze takes its time; what is planned after it comes after its end.
    """
    gaps = list(accumulate(draw.uniform(*GAP) for _ in range(len(kinds) + 1)))
    frozen = [0.0, *accumulate(FREEZE_S * (kind in FREEZING) for kind in kinds)]
    free_s = max(span_s / 2, span_s - frozen[-1])
    return [free_s * gap / gaps[-1] + before for gap, before in zip(gaps, frozen, strict=True)][:-1]


class Faults(threading.Thread):
    """Strikes at random moments within `span_s` seconds from its start."""

    def __init__(self, system: Running, kinds: list[str], span_s: float, seed: int) -> None:
        super().__init__(name="faults", daemon=True)
        self._system = system
        self._draw = random.Random(seed)
        self._kinds = list(kinds)
        self._draw.shuffle(self._kinds)
        self._moments = moments(self._kinds, span_s, self._draw)
        self.swaps = Swaps(system.settings) if set(kinds) & set(SWAPS) else None
        self.struck: list[Struck] = []
        self.failures: list[str] = []

    def run(self) -> None:
        """Strike every fault in turn."""
        began = time.monotonic()
        try:
            for kind, at in zip(self._kinds, self._moments, strict=True):
                time.sleep(max(0.0, began + at - time.monotonic()))
                self._strike(kind)
        except Exception as error:
            self.failures.append(repr(error))

    def _strike(self, kind: str) -> None:
        cache = self._system.settings.cache
        if kind in SIGNALS:
            agents = self._agents()
            names = agents if kind == "killboth" else [self._draw.choice(agents)]
            if kind == "freeze":
                self._freeze(kind, names[0])
            else:
                self._signal(kind, names, SIGNALS[kind])
        elif kind in ("join", "leave"):
            self._change_agents(kind)
        elif kind == "engineworker":
            self._note(kind, [ENCODER])
            kill_workers(self._system, find_encoder(self._system.home, ENCODER).id)
        elif kind == "cachehang":
            self._freeze(kind, "cache")
        elif kind == "cachejunk":
            self._note(kind, ["cache"])
            spoiling.junk(cache)
        elif kind == "cachefull":
            self._note(kind, ["cache"])
            spoiling.full(cache)
        elif self.swaps and kind in SWAPS:
            self.swaps.head() if kind == "swap" else self.swaps.encoder()
        else:  # named after the process that it kills
            self._signal(kind, [kind], signal.SIGKILL)

    def _change_agents(self, kind: str) -> None:
        agents = self._agents()
        count = len(agents) + (1 if kind == "join" else -1)
        self._note(kind, [f"agent-{count}"] if kind == "join" else agents[count:])
        answer = self._system.command("agents", str(count))
        if answer.returncode:
            self.failures.append(f"wireroom agents {count}: {answer.stderr}")

    def _freeze(self, kind: str, name: str) -> None:
        pid = self._signal(kind, [name], signal.SIGSTOP)
        time.sleep(FREEZE_S)
        if self._system.process(name)["pid"] == pid:
            self._system.kill(name, signal.SIGCONT)

    def _agents(self) -> list[str]:
        """Return the agents that run now; waits while one is being started again."""
        deadline = time.monotonic() + AGENTS_S
        while True:
            agents: list[dict[str, Any]] = [
                p
                for p in self._system.state["processes"]
                if p["role"] == "agent" and p["state"] != "stopped"
            ]
            if agents and all(p["pid"] for p in agents):
                return [p["name"] for p in agents]
            if time.monotonic() > deadline:
                raise TimeoutError("no agents to strike")
            time.sleep(0.05)

    def _note(self, kind: str, names: list[str]) -> None:
        self.struck.append(Struck(kind, tuple(names), time.time()))

    def _signal(self, kind: str, names: list[str], number: signal.Signals) -> int:
        self._note(kind, names)
        pid = 0
        for name in names:
            try:
                pid = self._system.kill(name, number)
            except ProcessLookupError:
                continue  # it is being started again: the fault falls on nobody
        return pid
