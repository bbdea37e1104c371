"""The faults there are: what each needs to run, and how soon results must come after it."""

from __future__ import annotations

from dataclasses import dataclass

ALWAYS = ("broker", "cache", "tasks", "engine", "agent")
"""The roles of the hot path; every trial runs them."""

CONSOLE = ("history", "console", "worker", "scheduler")
"""The roles beside it, which the stream must not notice."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault; `bound_s` is from the fault to the first new result, None: no bound."""

    bound_s: float | None
    needs: str | None = None  # a role beyond those that always run


KINDS = {
    "kill": Kind(5.0),
    "killboth": Kind(10.0),
    "term": Kind(5.0),
    "freeze": Kind(5.0),
    "join": Kind(5.0),
    "leave": Kind(5.0),
    "engine": Kind(5.0),  # with all its workers
    "engineworker": Kind(5.0),  # the encoder's own alone; a standby lives on
    "cache": Kind(5.0),
    "cachehang": Kind(5.0),
    "cachejunk": Kind(5.0),
    "cachefull": Kind(5.0),
    "broker": Kind(None),  # whatever a JVM takes to start, and to find its transactions
    "tasks": Kind(None),  # the ledger is waited for: to guess would be to double
    **{role: Kind(5.0, role) for role in CONSOLE},
    "swap": Kind(5.0),  # another head is deployed
    "encoder": Kind(5.0),  # and one that reads another encoder
}

SWAPS = ("swap", "encoder")
"""No faults: what an operator does under load. There may be a thousand; they are only counted."""


def parse(text: str) -> list[str]:
    """Return the kinds of `kill:10,killboth:2`, one for each fault; raises ValueError."""
    kinds: list[str] = []
    for part in filter(None, text.split(",")):
        kind, _, count = part.partition(":")
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; known are {', '.join(KINDS)}")
        kinds += [kind] * int(count or 1)
    return kinds


def roles(kinds: list[str], *, standby: bool = False) -> tuple[str, ...]:
    """Return the roles that must run for these faults to strike somebody.

    With a `standby` those too that have degraded results answered again.
    """
    needed = {need for kind in kinds if (need := KINDS[kind].needs)}
    needed |= {"worker", "scheduler"} if standby else set()
    return (*ALWAYS, *sorted(needed))
