"""The rules: what counts as wrong, from facts alone; no database, no clock.

Each rule has a band between broken and well. Within it an open alert stays and none is raised, so
that a figure that trembles around its bound raises one alert, not fifty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refused:
    """A run whose candidate the gate refused, none of the job having succeeded since."""

    run: str
    job: str
    reasons: str


@dataclass(frozen=True)
class Facts:
    """What is known at one moment; None where it could not be read, so that nothing is concluded."""

    lag: int | None = None
    lag_bound: int = 10_000
    dead_letters_minute: int | None = None
    dead_letters_bound: int = 20
    ledger_difference: int | None = None
    lost: dict[str, str] | None = None
    """Role of each process whose report expired, by its name."""

    refused: list[Refused] | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or, where not `broken`, not yet well again."""

    subject: str
    broken: bool
    title: str
    detail: str
    todo: str
    link: str = ""
    """Path of the console's page that shows more."""


@dataclass(frozen=True)
class Rule:
    """A rule; `find` returns None where the facts do not say.

    An alert is raised after `raise_after` evaluations in a row, resolved after `resolve_after`.
    """

    key: str
    name: str
    meaning: str
    find: Callable[[Facts], list[Finding] | None] = field(repr=False)
    raise_after: int = 2
    resolve_after: int = 2


def _lag(facts: Facts) -> list[Finding] | None:
    if facts.lag is None:
        return None
    if facts.lag <= facts.lag_bound // 2:
        return []
    return [
        Finding(
            subject="",
            broken=facts.lag > facts.lag_bound,
            title="The agents lag behind",
            detail=f"{facts.lag:,} articles are not yet committed; the bound is "
            f"{facts.lag_bound:,}, resolved at {facts.lag_bound // 2:,}.",
            todo="See on Cluster whether engine and agents are ready and which partitions lag. "
            "Is the feed faster than the encoder, more cores or more agents help; the articles "
            "wait in Kafka and none is lost.",
        )
    ]


def _dead_letters(facts: Facts) -> list[Finding] | None:
    if facts.dead_letters_minute is None:
        return None
    if facts.dead_letters_minute <= facts.dead_letters_bound // 2:
        return []
    return [
        Finding(
            subject="",
            broken=facts.dead_letters_minute > facts.dead_letters_bound,
            title="Many articles cannot be read",
            detail=f"{facts.dead_letters_minute:,} dead letters within the last minute; the bound "
            f"is {facts.dead_letters_bound:,}.",
            todo="Look at the newest dead letters: equal reasons point to one feed that has "
            "changed its format. They are kept unchanged for 30 days.",
        )
    ]


def _lost(facts: Facts) -> list[Finding] | None:
    if facts.lost is None:
        return None
    return [
        Finding(
            subject=name,
            broken=True,
            title=f"{name} does not report",
            detail=f"The last report of {name} (role {role}) has expired.",
            todo=f"The supervisor starts a process again that has died; read logs/{name}.log where "
            "it does not come back. Was it stopped for good, forget it on Cluster.",
        )
        for name, role in sorted(facts.lost.items())
    ]


def _difference(facts: Facts) -> list[Finding] | None:
    if facts.ledger_difference is None:
        return None
    if facts.ledger_difference == 0:
        return []
    word = "are unaccounted for" if facts.ledger_difference > 0 else "are accounted for twice"
    return [
        Finding(
            subject="",
            broken=True,
            title="The ledger does not come out",
            detail=f"The difference is {facts.ledger_difference:,}: so many articles {word}.",
            todo="Run `wireroom ledger --json` to see the partition, keep the logs of the agents, "
            "and do not delete topics. This is a fault of the system: report it.",
        )
    ]


def _refused(facts: Facts) -> list[Finding] | None:
    if facts.refused is None:
        return None
    return [
        Finding(
            subject=run.job,
            broken=True,
            title=f"The candidate of a {run.job} was refused",
            detail=f"Run {run.run[:8]}: {run.reasons}",
            todo="What serves goes on serving. Compare the two versions on Models; see whether the "
            "dataset's newest version is sound. Resolved by the job's next run that succeeds.",
            link=f"/runs/{run.run}/",
        )
        for run in facts.refused
    ]


RULES = (
    Rule("lag", "Lag", "articles not yet committed are over a bound", _lag),
    Rule(
        "dead-letters",
        "Dead letters",
        "their number within a minute is over a bound",
        _dead_letters,
    ),
    Rule("process-lost", "Processes", "an expected process has stopped to report", _lost),
    Rule("ledger", "Ledger", "the difference is not 0 in two readings", _difference),
    Rule(
        "refused",
        "Candidates",
        "the gate refused what a run made",
        _refused,
        raise_after=1,
        resolve_after=1,
    ),
)
