"""Texts on which the engine dies, found by what was being computed."""

from __future__ import annotations

from pathlib import Path

from stream.suspects import STATE, Suspects, accuse

OIL, WHEAT = ("minilm", "0" * 32), ("minilm", "1" * 32)


def test_what_was_computed_to_the_end_is_no_suspect(tmp_path: Path) -> None:
    first = Suspects(tmp_path)
    first.begin(0, [OIL, WHEAT])
    first.end(0, [OIL, WHEAT])
    assert OIL not in Suspects(tmp_path)


def test_everything_that_was_being_computed_is_suspect(tmp_path: Path) -> None:
    first = Suspects(tmp_path)
    first.begin(0, [OIL])
    first.begin(1, [WHEAT])
    second = Suspects(tmp_path)
    assert OIL in second
    assert WHEAT in second
    assert not second.poisonous(OIL)


def test_two_deaths_alone_make_a_text_poisonous(tmp_path: Path) -> None:
    Suspects(tmp_path).begin(0, [OIL, WHEAT])
    Suspects(tmp_path).begin(0, [OIL])
    again = Suspects(tmp_path)
    assert not again.poisonous(OIL)
    again.begin(0, [OIL])
    last = Suspects(tmp_path)
    assert last.poisonous(OIL)
    assert not last.poisonous(WHEAT)


def test_a_suspect_that_is_computed_after_all_is_cleared_for_good(tmp_path: Path) -> None:
    Suspects(tmp_path).begin(0, [OIL, WHEAT])
    second = Suspects(tmp_path)
    second.begin(0, [OIL])
    second.end(0, [OIL])
    third = Suspects(tmp_path)
    assert OIL not in third
    assert WHEAT in third


def test_a_suspect_of_long_ago_gets_another_chance(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text(
        f'[{{"key": {list(OIL)!r}, "deaths_alone": 2, "at": 1.0}}]'.replace("'", '"')
    )
    assert OIL not in Suspects(tmp_path)


def test_a_file_cut_short_accuses_nobody(tmp_path: Path) -> None:
    Suspects(tmp_path).begin(0, [OIL])
    slot = tmp_path / "engine-computing-0-0"
    slot.write_bytes(slot.read_bytes()[:9])
    (tmp_path / STATE).write_text('[{"key"')
    assert OIL not in Suspects(tmp_path)


def test_what_one_process_died_on_is_suspect_in_the_others(tmp_path: Path) -> None:
    dying, living = Suspects(tmp_path, "1"), Suspects(tmp_path, "2")
    dying.begin(0, [OIL])
    living.begin(0, [WHEAT])
    accuse(tmp_path, "1")
    living.refresh()
    assert OIL in living
    assert WHEAT not in living


def test_a_suspect_computed_by_one_process_is_cleared_for_the_others(tmp_path: Path) -> None:
    Suspects(tmp_path, "1").begin(0, [OIL, WHEAT])
    accuse(tmp_path)
    one, other = Suspects(tmp_path, "2"), Suspects(tmp_path, "3")
    one.end(0, [OIL])
    other.refresh()
    assert OIL not in other
    assert WHEAT in other
