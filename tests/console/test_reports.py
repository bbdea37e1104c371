"""The report's page: what it shows, what it hides, and the same as JSON."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.test import Client

from console.runs import pictures
from console.runs.models import Run
from infra.settings import Settings
from ml import artifact, evaluation_report
from ml.evaluation_report import (
    Bin,
    Comparison,
    Confusion,
    Dimension,
    Evaluation,
    Figure,
    Flip,
    Gap,
    LabelRow,
    OperatingPoint,
    Refusal,
    Slice,
    TimeOrdered,
    Verdict,
)
from tests.console.literal import article, kill, result, write

HOSTILE = "<script>alert(1)</script>\u202egnp.exe"
REFUSAL = Refusal(
    what="label",
    name="ship",
    candidate=0.5,
    champion=0.8,
    margin=0.005,
    text="F1 0.5000 on label ship is below 0.7950",
)
NINE_TENTHS = Figure(value=0.9, low=0.88, high=0.92, champion=0.91)


def verdict(deployable: bool, refusals: list[Refusal]) -> Verdict:
    return Verdict(
        deployable=deployable,
        margin=0.005,
        allowance=0.05,
        least_support=10,
        least_articles=30,
        refusals=refusals,
    )


def flip(uri: str, title: str) -> Flip:
    return Flip(uri=uri, title=title, before="ship", after="crude", truth="ship")


def label(name: str, support: int) -> LabelRow:
    return LabelRow(
        label=name,
        precision=0.8,
        recall=0.7,
        f1=0.75,
        low=0.6,
        high=0.85,
        support=support,
        answered=support,
        champion_f1=0.8,
        lost=7,
        won=2,
    )


def evaluation(**changes: Any) -> Evaluation:
    """Return a report of a hundred articles in which everything stands."""
    found = Evaluation(
        model="topic@2+82f0",
        encoder="minilm-l6+17e1",
        classifier="topic",
        dataset="r8+33abca7c",
        champion="topic@1+9f3c",
        run=None,
        at="2026-11-24T10:00:00.000Z",
        articles=100,
        figures=dict.fromkeys(("accuracy", "macro_f1", "micro_f1", "ece"), NINE_TENTHS),
        labels=[label("crude", 80), label("ship", 20)],
        confusion=Confusion(labels=["crude", "ship"], counts=[[78, 2], [10, 10]], left_out=0),
        reliability=[Bin(14 / 15, 1.0, 90, 0.97, 0.95)],
        operating_points=[OperatingPoint(goal=0.9, threshold=0.4, accepted=0.98, precision=0.9)],
        comparison=Comparison(
            champion="topic@1+9f3c",
            lost=7,
            won=2,
            exact_p=0.1797,
            mid_p=0.1094,
            accuracy=Figure(value=-0.05, low=-0.11, high=0.01),
            macro_f1=Figure(value=-0.04, low=-0.1, high=0.02),
        ),
        dimensions=[
            Dimension(
                name="language",
                protected=True,
                slices=[
                    Slice(
                        value="zh",
                        articles=40,
                        accuracy=0.75,
                        low=0.6,
                        high=0.86,
                        accepted=1.0,
                        champion=0.8,
                    )
                ],
                gaps={"accuracy": Gap(0.15, 0.83), "accepted": Gap(0.0, 1.0)},
                too_small=2,
            )
        ],
        time_ordered=TimeOrdered(
            train=400,
            test=100,
            since="1987-10-01T00:00:00Z",
            accuracy=Figure(value=0.85, low=0.8, high=0.9),
            macro_f1=Figure(value=0.7, low=0.6, high=0.8),
        ),
        flips=[],
        flips_total=0,
        verdict=verdict(False, [REFUSAL]),
        notes=["No article of the test split has a source."],
    )
    return msgspec.structs.replace(found, **changes)


@pytest.fixture
def run(operator: Client) -> Run:
    number = uuid.uuid4()
    outcome = {"model": "topic@2+82f0", "deployable": False, "reasons": [REFUSAL.text]}
    return Run.objects.create(
        id=number, slot=str(number), job="refit", by="operator", state="refused", result=outcome
    )


def page(operator: Client, home: Path, run: Run, **changes: Any) -> str:
    evaluation_report.write(home, str(run.id), evaluation(**changes))
    answer = operator.get(f"/runs/{run.id}/report/")
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


def test_the_page_shows_figures_with_intervals_and_the_gates_reason(
    operator: Client, offline: Settings, run: Run
) -> None:
    text = page(operator, offline.home, run)
    assert "Not deployable." in text
    assert REFUSAL.text in text
    assert "<b>90.00 %</b><em>88.00 % to 92.00 %</em><em>champion 91.00 %</em>" in text
    assert "10: ship answered crude" in text
    assert "90 claims of 97.0 % on average; 95.0 % came true" in text
    assert "\u22125.00 points" in text
    assert "mid-p 0.1094" in text
    assert 'gap warn">gap 15.0 points' in text
    assert "2 smaller groups not shown." in text
    assert "the newest 100, from 1987-10-01 on" in text
    assert "No article of the test split has a source." in text


def test_the_page_keeps_to_the_content_security_policy(
    operator: Client, offline: Settings, run: Run
) -> None:
    text = page(operator, offline.home, run)
    assert " style=" not in text
    assert "<script>" not in text
    assert "onclick" not in text


def test_a_version_that_passed_says_what_it_was_compared_with(
    operator: Client, offline: Settings, run: Run
) -> None:
    passed = verdict(True, [])
    text = page(operator, offline.home, run, verdict=passed, speedup=1.42)
    assert "Deployable." in text
    assert "by more than 0.5 % overall" in text
    assert "any label of 10 test articles or more" in text
    assert "1.42 times as fast" in text


def test_a_report_without_champion_dates_or_groups_is_whole(
    operator: Client, offline: Settings, run: Run
) -> None:
    passed = verdict(True, [])
    text = page(
        operator,
        offline.home,
        run,
        verdict=passed,
        champion=None,
        comparison=None,
        dimensions=[],
        time_ordered=None,
        notes=[],
    )
    assert "Compared with nothing." in text
    assert "Changed answers" not in text
    assert "No field of these articles makes groups." in text


def test_a_changed_answer_links_to_its_article_and_a_killed_one_is_not_named(
    operator: Client, offline: Settings, run: Run
) -> None:
    write([article("urn:a/b?c", 0, title="Found")], [result("urn:a/b?c", 0)])
    write([kill("urn:gone", 1)])
    flips = [flip("urn:a/b?c", HOSTILE), flip("urn:gone", "Secret"), flip("urn:new", "Unseen")]
    text = page(operator, offline.home, run, flips=flips, flips_total=3)
    assert '<a href="/articles/one/?uri=urn%3Aa%2Fb%3Fc">&lt;script&gt;' in text
    assert "\u202e" not in text
    assert "Secret" not in text
    assert "Unseen" in text
    assert "urn%3Anew" not in text
    exported = json.loads(operator.get(f"/runs/{run.id}/report.json").content)["flips"]
    assert [its["title"] for its in exported] == [HOSTILE, "", "Unseen"]


def test_a_hundred_labels_are_drawn_small_and_whole(
    operator: Client, offline: Settings, run: Run
) -> None:
    names = [f"label-{n}" for n in range(60)]
    counts = [[int(i == j) for j in range(60)] for i in range(60)]
    table = Confusion(labels=names, counts=counts, left_out=40)
    text = page(operator, offline.home, run, confusion=table)
    assert "40 rarer labels left out" in text
    assert text.count('<rect class="right"') == 60


def test_the_report_comes_as_json_too(operator: Client, offline: Settings, run: Run) -> None:
    page(operator, offline.home, run)
    answer = operator.get(f"/runs/{run.id}/report.json")
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == f'attachment; filename="report-{str(run.id)[:8]}.json"'
    assert json.loads(answer.content)["verdict"]["refusals"][0]["name"] == "ship"


def test_the_run_and_its_version_lead_to_the_report(
    operator: Client, offline: Settings, run: Run
) -> None:
    assert "/report/" not in operator.get(f"/runs/{run.id}/").content.decode()
    page(operator, offline.home, run)
    assert f"/runs/{run.id}/report/" in operator.get(f"/runs/{run.id}/").content.decode()


def test_a_versions_page_lists_its_evaluations(
    operator: Client, offline: Settings, run: Run, assets: Path
) -> None:
    artifact.install(assets, offline.home)
    name = artifact.list_models(offline.home, "topic")[0].name
    before = operator.get(f"/models/{name}/").content.decode()
    assert f"wireroom evaluate --model {name}" in before
    Run.objects.filter(id=run.id).update(result={"model": name})
    page(operator, offline.home, run)
    after = operator.get(f"/models/{name}/").content.decode()
    assert f"/runs/{run.id}/report/" in after
    assert '<span class="chip bad">refused</span>' in after


@pytest.mark.parametrize("content", [None, "{", '{"model": 1}', "[]"])
def test_a_missing_or_broken_report_is_404(
    operator: Client, offline: Settings, run: Run, content: str | None
) -> None:
    if content is not None:
        file = evaluation_report.report_path(offline.home, str(run.id))
        file.parent.mkdir(parents=True)
        file.write_text(content)
    assert operator.get(f"/runs/{run.id}/report/").status_code == 404


def test_a_stranger_sees_no_report(client: Client, offline: Settings, run: Run) -> None:
    for path in ("report/", "report.json"):
        assert Client().get(f"/runs/{run.id}/{path}")["Location"].startswith("/login/")


def test_a_whisker_lies_on_the_common_scale() -> None:
    assert pictures.least([0.63, None, 0.71]) == 0.6
    whisker = pictures.whisker(0.8, 0.7, 0.9, 0.85, 0.6)
    assert (whisker.low, whisker.length, whisker.at, whisker.champion) == (
        "25.0",
        "50.0",
        "49.0",
        "62.0",
    )


def test_a_cell_is_as_strong_as_its_share_of_the_row() -> None:
    found = pictures.heat_map(Confusion(labels=["a", "b"], counts=[[3, 1], [0, 4]], left_out=0))
    assert [(c.count, c.strength, c.right) for c in found.cells] == [
        (3, "0.77", True),
        (1, "0.31", False),
        (4, "1.00", True),
    ]
