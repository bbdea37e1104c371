"""`wireroom datasets` from the terminal: add, list, show, compare, and errors of one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.running import command

TITLES = [f"Report {n} on subject {n * 7}" for n in range(60)]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Sixty articles of two labels, and the same with one relabelled and ten more."""
    articles = [
        {"uri": f"u{n}", "text": title, "label": ("oil", "grain")[n % 2], "language": "en"}
        for n, title in enumerate(TITLES)
    ]
    more = [
        {"uri": f"more{n}", "text": f"Another {n} from elsewhere {n * 3}", "label": "ship"}
        for n in range(10)
    ]
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text("\n".join(map(json.dumps, articles)))
    articles[0]["label"] = "ship"
    second.write_text("\n".join(map(json.dumps, articles + more)))
    return first, second


def test_versions_are_added_listed_shown_and_compared(files: tuple[Path, Path], home: Path) -> None:
    at_home = ("--home", str(home))
    ids = []
    for file in files:
        added = command("datasets", "add", str(file), "--name", "wire", "--json", *at_home)
        assert added.returncode == 0, added.stderr
        ids.append(json.loads(added.stdout)["dataset"])

    listed = json.loads(command("datasets", "--json", *at_home).stdout)
    assert [entry["id"] for entry in listed] == ids
    assert listed[1]["report"]["drift"]["appeared"] == ["ship"]

    answer = command("datasets", "show", "wire", "--against", ids[0], "--json", *at_home)
    shown = json.loads(answer.stdout)
    assert shown["id"] == ids[1]
    assert shown["report"]["languages"] == {"en": 70}
    assert (shown["difference"]["added"], shown["difference"]["relabelled"]) == (10, 1)
    assert shown["difference"]["examples"] == [{"uri": "u0", "before": ["oil"], "now": ["ship"]}]

    text = command("datasets", "show", ids[1], "--against", ids[0], *at_home).stdout
    assert f"since {ids[0]}: 10 added, 0 removed, 1 relabelled, 0 rewritten" in text
    assert "u0: oil is now ship" in text


def test_a_map_that_does_not_match_is_one_line(files: tuple[Path, Path], home: Path) -> None:
    mapping = files[0].with_name("map.json")
    mapping.write_text('{"oil": "energy"}')

    answer = command(
        *("datasets", "add", str(files[0]), "--name", "wire"),
        *("--label-map", str(mapping), "--home", str(home)),
    )

    assert answer.returncode == 1
    assert answer.stderr == f"error: {mapping}: the label map lacks 'grain' (of u1)\n"
    assert not home.exists()


def test_an_unknown_corpus_is_refused_by_name(home: Path) -> None:
    answer = command("datasets", "fetch", "reuters", "--home", str(home))

    assert answer.stderr == "error: no corpus 'reuters'; there are r8, r52, newsgroups\n"
