"""What is done to the running system, and when."""

from __future__ import annotations

import random
import signal
import threading
import time
from dataclasses import dataclass

from tests.running import Running

FREEZE_S = 20.0
JOINED = 3  # agents after a `join`
KINDS = ("kill", "killboth", "term", "freeze", "join", "engine", "cache", "broker")
GAP = (0.5, 1.5)  # of the mean distance between two faults


@dataclass(frozen=True)
class Struck:
    """One fault that happened; `at` in seconds since 1970."""

    kind: str
    names: tuple[str, ...]
    at: float


def parse(text: str) -> list[str]:
    """Return the kinds of `kill:10,killboth:2`, one for each fault; raises ValueError."""
    kinds: list[str] = []
    for part in filter(None, text.split(",")):
        kind, _, count = part.partition(":")
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; known are {', '.join(KINDS)}")
        kinds += [kind] * int(count or 1)
    return kinds


class Faults(threading.Thread):
    """Strikes at random moments spread over `span_s` seconds."""

    def __init__(self, system: Running, kinds: list[str], span_s: float, seed: int) -> None:
        super().__init__(name="faults", daemon=True)
        self._system = system
        self._draw = random.Random(seed)
        self._kinds = list(kinds)
        self._draw.shuffle(self._kinds)
        self._mean_s = span_s / (len(kinds) + 1)
        self.struck: list[Struck] = []
        self.failures: list[str] = []

    def run(self) -> None:
        """Strike every fault in turn."""
        try:
            for kind in self._kinds:
                time.sleep(self._mean_s * self._draw.uniform(*GAP))
                self._strike(kind)
        except Exception as error:
            self.failures.append(repr(error))

    def _strike(self, kind: str) -> None:
        agents = self._agents()
        if kind == "killboth":
            self._signal(kind, agents, signal.SIGKILL)
        elif kind in ("kill", "term", "freeze"):
            number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "freeze": signal.SIGSTOP}
            name = self._draw.choice(agents)
            pid = self._signal(kind, [name], number[kind])
            if kind == "freeze":
                time.sleep(FREEZE_S)
                if self._system.process(name)["pid"] == pid:
                    self._system.kill(name, signal.SIGCONT)
        elif kind == "join":
            self.struck.append(Struck(kind, (f"agent-{JOINED}",), time.time()))
            answer = self._system.command("agents", str(JOINED))
            if answer.returncode:
                self.failures.append(f"wireroom agents {JOINED}: {answer.stderr}")
        else:
            self._signal(kind, [kind], signal.SIGKILL)

    def _agents(self) -> list[str]:
        """Return the agents that run now; waits while one is being started again."""
        deadline = time.monotonic() + 60
        while True:
            agents = [p for p in self._system.state["processes"] if p["role"] == "agent"]
            if agents and all(p["pid"] for p in agents):
                return [p["name"] for p in agents]
            if time.monotonic() > deadline:
                raise TimeoutError("no agents to strike")
            time.sleep(0.05)

    def _signal(self, kind: str, names: list[str], number: signal.Signals) -> int:
        self.struck.append(Struck(kind, tuple(names), time.time()))
        pid = 0
        for name in names:
            try:
                pid = self._system.kill(name, number)
            except ProcessLookupError:
                continue  # it is being started again: the fault falls on nobody
        return pid
