"""Asking for runs and for their end."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from django.test import Client

from console.runs.models import Run
from infra.settings import Settings
from ml import artifact


@pytest.fixture
def installed(offline: Settings, assets: Path) -> Settings:
    """An installation with the datasets, encoder and model that come with it."""
    artifact.install(assets, offline.home)
    return offline


def _run(**fields: object) -> Run:
    number = uuid.uuid4()
    return Run.objects.create(id=number, slot=str(number), job="refit", by="operator", **fields)


def test_a_run_is_queued_even_while_the_tasks_server_is_away(
    operator: Client, installed: Settings
) -> None:
    form = {"job": "refit", "classifier": "topic", "dataset": "", "encoder": ""}
    answer = operator.post("/runs/start/", form, follow=True)
    run = Run.objects.get()
    assert (run.state, run.job, run.by) == ("queued", "refit", "operator")
    assert run.spec == {"job": "refit", "classifier": "topic"}
    assert "The tasks server does not answer" in answer.content.decode()


def test_a_training_needs_a_dataset(operator: Client, installed: Settings) -> None:
    form = {"job": "train", "classifier": "topic", "dataset": "", "encoder": ""}
    answer = operator.post("/runs/start/", form)
    assert answer.status_code == 400
    assert "choose a dataset version" in answer.content.decode()
    assert not Run.objects.exists()


def test_a_queued_run_is_cancelled_at_once(operator: Client) -> None:
    run = _run()
    operator.post(f"/runs/{run.id}/cancel/")
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert run.ended_at is not None


def test_a_running_run_is_asked_to_end(operator: Client) -> None:
    run = _run(state="running")
    operator.post(f"/runs/{run.id}/cancel/")
    run.refresh_from_db()
    assert (run.state, run.cancel_requested) == ("running", True)


def test_an_ended_run_stays_as_it_is(operator: Client) -> None:
    run = _run(state="succeeded")
    operator.post(f"/runs/{run.id}/cancel/")
    run.refresh_from_db()
    assert (run.state, run.cancel_requested) == ("succeeded", False)


def test_a_run_shows_the_end_of_its_log(operator: Client, offline: Settings) -> None:
    log = offline.home.resolve() / "runs" / "1" / "log"
    log.parent.mkdir(parents=True)
    log.write_text("x" * 60_000 + "\n<b>fitted</b>\n")
    run = _run(state="running", log_path=str(log))
    assert "&lt;b&gt;fitted&lt;/b&gt;" in operator.get(f"/runs/{run.id}/").content.decode()


def test_a_log_outside_the_home_is_not_shown(operator: Client, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("secret")
    run = _run(state="running", log_path=str(tmp_path / "log"))
    assert "secret" not in operator.get(f"/runs/{run.id}/").content.decode()
