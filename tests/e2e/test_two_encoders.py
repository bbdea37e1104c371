"""Two encoders in one system: English by one, Chinese by the other, each its own cache entries."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
from pathlib import Path

from ml.messages import Classification, Subject
from stream import heartbeat, publisher
from stream.publisher import Item
from tests.answers import check_accounts, following
from tests.running import Running, running, wait_until

LOADED_S = 30.0  # for 470 MB of weights, and a report

TEAMS = ("红队", "蓝队", "绿队", "白队", "黑队", "金队")
FIRMS = ("东方银行", "南山钢铁", "西海石油", "北江汽车", "中原电力", "长河保险")

ARTICLES = {
    "zh:1": ("zh-Hans", "白队主场以4比2战胜黑队，赢得联赛冠军"),
    "zh:2": ("zh", "西海石油股价上涨百分之七，投资者看好全年利润"),
    "en:1": (
        "en",
        "wheat exports fell sharply as grain shipments to the soviet union were delayed",
    ),
    "sw:1": ("sw", "Bei ya mafuta imepanda tena wiki hii"),
}


def test_chinese_and_english_are_answered_side_by_side(e5_small: Path, tmp_path: Path) -> None:
    """A head answers in the languages of its dataset that its encoder reads, and abstains else."""
    home = tmp_path / "home"
    home.mkdir()
    encoder = home / "encoders" / e5_small.name
    shutil.copytree(e5_small, encoder, copy_function=os.link)
    with running(home, "--no-feed", "--agents", "1") as system:
        model = train_and_deploy(system, tmp_path / "news.csv")
        answers = ask(system, "")
        again = ask(system, "again:")  # the same texts under other uris

        assert {uri: kinds(answer) for uri, answer in answers.items()} == {
            "zh:1": {"wire-zh": ("sports", "miss"), "topic": (None, None)},
            "zh:2": {"wire-zh": ("finance", "miss"), "topic": (None, None)},
            "en:1": {"wire-zh": (None, None), "topic": ("grain", "miss")},
            "sw:1": {"wire-zh": (None, None), "topic": (None, None)},
        }
        assert {uri: kinds(answer) for uri, answer in again.items()} == {
            "again:zh:1": {"wire-zh": ("sports", "hit"), "topic": (None, None)},
            "again:zh:2": {"wire-zh": ("finance", "hit"), "topic": (None, None)},
            "again:en:1": {"wire-zh": (None, None), "topic": ("grain", "hit")},
            "again:sw:1": {"wire-zh": (None, None), "topic": (None, None)},
        }
        english, chinese = of(answers["en:1"], "topic"), of(answers["zh:1"], "wire-zh")
        assert (chinese.model, chinese.encoder) == (model, e5_small.name)
        assert english.encoder is not None
        assert english.encoder.startswith("minilm-l6+")
        assert {s.decision for s in answers["sw:1"].subjects} == {"abstain"}
        check_accounts(system)


def train_and_deploy(system: Running, file: Path) -> str:
    """Make a dataset of 60 Chinese headlines, a head on it, and the head a second classifier."""
    rows = [(f"{a}主场以{n}比1战胜{b}", "sports") for n, (a, b) in enumerate(pairs(TEAMS), 2)]
    rows += [
        (f"{a}股价下跌百分之{n}，{b}利润增长", "finance")
        for n, (a, b) in enumerate(pairs(FIRMS), 2)
    ]
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("text", "label"), *rows])
    told = [
        system.command("datasets", "add", str(file), "--name", "wire-zh", "--language", "zh"),
        system.command(
            *("train", "--dataset", "wire-zh", "--classifier", "wire-zh", "--json"),
            *("--encoder", "e5-small"),
        ),
        system.command("deploy", "wire-zh", "1"),
    ]
    assert [answer.returncode for answer in told] == [0, 0, 0], told
    model = str(json.loads(told[1].stdout)["model"])
    wait_until(lambda: serves(system, model), LOADED_S, f"{model} served")
    return model


def serves(system: Running, model: str) -> bool:
    """Tell whether every agent answers with a model: its encoder is loaded beside the work."""
    reports = heartbeat.read_all(system.settings)
    return all(
        model in report["figures"]["models"].values()
        for report in reports
        if report["role"] == "agent"
    )


def pairs(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return all 30 ordered pairs of six names."""
    return list(itertools.permutations(names, 2))


def ask(system: Running, prefix: str) -> dict[str, Classification]:
    """Publish the articles and return the answer to each by uri."""
    items = [
        Item(
            prefix + uri,
            json.dumps({"uri": prefix + uri, "title": title, "language": language}).encode(),
        )
        for uri, (language, title) in ARTICLES.items()
    ]
    with following(system) as answers:
        publisher.publish(system.settings, items)
        return answers.to([item.uri for item in items])


def kinds(answer: Classification) -> dict[str, tuple[str | None, str | None]]:
    """Return label and origin of the embedding by classifier."""
    return {s.classifier: (s.label, s.embedding) for s in answer.subjects}


def of(answer: Classification, classifier: str) -> Subject:
    """Return one classifier's answer."""
    return next(s for s in answer.subjects if s.classifier == classifier)
