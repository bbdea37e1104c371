"""What the sequential model says of results that a standby gave."""

from __future__ import annotations

from tests.chaos.expected import Expected, expect
from tests.chaos.journal import Line


def line(offset: int, digest: str, meaning: str = "article", version: int | None = None) -> Line:
    """Return a message of the one uri in partition 0."""
    return Line(offset, "a", meaning, version, None, digest, 0, offset, 0.0)  # type: ignore[arg-type]  # as the tests say


def test_a_degraded_result_gives_the_next_revision_once() -> None:
    lines = [line(0, "d1"), line(1, "d1", "rescore"), line(2, "d1", "rescore")]
    assert expect(lines, {(0, 0)}) == {
        (0, 0): Expected("result", "a", 1, 1, "d1"),
        (0, 1): Expected("result", "a", 1, 2, "d1", supersedes=(1, 1)),
    }
    assert list(expect(lines)) == [(0, 0)]


def test_what_was_answered_since_is_not_answered_again() -> None:
    newer = [line(0, "d1"), line(1, "d2"), line(2, "d1", "rescore"), line(3, "d2", "rescore")]
    assert list(expect(newer, {(0, 0)})) == [(0, 0), (0, 1)]
    killed = [line(0, "d1"), line(1, "", "kill"), line(2, "d1", "rescore")]
    assert list(expect(killed, {(0, 0)})) == [(0, 0), (0, 1)]


def test_a_version_that_follows_counts_on_from_the_last_revision() -> None:
    lines = [
        line(0, "d1", version=1),
        line(1, "d1", "rescore", version=1),
        line(2, "d2", version=1),
    ]
    assert expect(lines, {(0, 0)})[0, 2] == Expected("result", "a", 1, 3, "d2", supersedes=(1, 2))
