from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from django.utils import timezone

from console.runs.models import Run
from infra.settings import Settings
from ml import artifact
from ml.artifact import EncoderManifest, ModelManifest
from ml.datasets import Row, save_dataset
from stream import deployments
from tests.workers.plays import PLAY_JOB
from workers import jobs, retention

Queue = Callable[..., Run]
LONG_AGO = "2020-01-01T00:00:00.000Z"
TENSORS = artifact.write_tensors({"weights": np.zeros((2, 2), np.float32)})


def _encoder(home: Path, name: str, content: bytes, parents: list[str]) -> str:
    manifest = EncoderManifest(
        name=name,
        config={"width": 2},
        window=8,
        languages=["en"],
        precision="f32",
        created_at=LONG_AGO,
        parents=parents,
    )
    return artifact.save(home, manifest, {"tokenizer.json": content}).id


def _dataset(home: Path, body: str, created_at: str = LONG_AGO) -> str:
    made = save_dataset(home, "wire", [Row("urn:1", "Oil", body, ("crude",), "train")], "t", ["en"])
    folder = artifact.dataset_path(home, made.id)
    manifest = folder / "manifest.json"
    old = msgspec.structs.replace(made, created_at=created_at)
    manifest.chmod(0o644)
    manifest.write_bytes(msgspec.json.encode(old))
    return made.id


def _model(home: Path, number: float, encoder: str, dataset: str, **fields: object) -> str:
    manifest = ModelManifest(
        classifier="topic",
        encoder=encoder,
        labels=["crude", "earn"],
        languages=["en"],
        temperature=number,
        threshold=None,
        dataset=dataset,
        created_at=LONG_AGO,
    )
    made = msgspec.structs.replace(manifest, **fields)
    return artifact.save_model(home, made, {"head.safetensors": TENSORS})[0].name


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "KEPT_VERSIONS", 1)


@pytest.mark.usefixtures("few")
def test_what_was_deployed_and_what_it_was_made_from_stays(installation: Settings) -> None:
    home = installation.home
    root = _encoder(home, "base", b"{}", [])
    tuned = _encoder(home, "tuned", b"[]", [root])
    unused = _encoder(home, "tuned", b"[1]", [root])
    old_data, data = _dataset(home, "one"), _dataset(home, "two")
    newest_data = _dataset(home, "three", "2021-01-01T00:00:00.000Z")
    parent = _model(home, 1.0, tuned, data)
    champion = _model(home, 2.0, tuned, data, parents=[parent])
    useless = _model(home, 3.0, unused, old_data)
    newest = _model(home, 4.0, tuned, data)

    swept = retention.sweep(installation, {champion})

    assert swept.models == [useless]
    assert [m.name for m in artifact.list_models(home)] == [parent, champion, newest]
    assert {m.id for m in artifact.list_encoders(home)} >= {root, tuned}
    assert (swept.datasets, {m.id for m in artifact.list_datasets(home)}) == (
        [old_data],
        {data, newest_data},
    )
    assert not list((home / "models" / "topic").glob(".draft-*"))


@pytest.mark.usefixtures("few")
def test_what_a_waiting_run_was_given_stays(installation: Settings, queued: Queue) -> None:
    home = installation.home
    encoder, data = _encoder(home, "base", b"{}", []), _dataset(home, "one")
    wanted, useless, champion = (_model(home, t, encoder, data) for t in (1.0, 2.0, 3.0))
    queued(job="evaluate", model=wanted)

    assert retention.sweep(installation, {champion}).models == [useless]


@pytest.mark.usefixtures("few")
def test_where_nothing_was_ever_deployed_no_artifact_is_deleted(installation: Settings) -> None:
    home = installation.home
    encoder, data = _encoder(home, "base", b"{}", []), _dataset(home, "one")
    names = [_model(home, t, encoder, data) for t in (1.0, 2.0)]

    retention.sweep(installation, set())

    assert [m.name for m in artifact.list_models(home)] == names


def test_old_runs_go_with_their_folders_unless_a_version_names_them(
    installation: Settings, queued: Queue
) -> None:
    home = installation.home
    settings = replace(installation, keep_runs_s=3600.0)
    old, named, recent, running = (queued() for _ in range(4))
    long_ago = timezone.now() - timedelta(days=2)
    for run, state, ended in (
        (old, "succeeded", long_ago),
        (named, "succeeded", long_ago),
        (recent, "failed", timezone.now()),
        (running, "running", None),
    ):
        Run.objects.filter(pk=run.pk).update(state=state, ended_at=ended)
        (home / "runs" / str(run.pk)).mkdir(parents=True)
    encoder, data = _encoder(home, "base", b"{}", []), _dataset(home, "one")
    champion = _model(home, 1.0, encoder, data, run=str(named.pk))

    swept = retention.sweep(settings, {champion})

    left = set(Run.objects.values_list("pk", flat=True))
    assert (swept.runs, left) == (1, {named.pk, recent.pk, running.pk})
    assert not (home / "runs" / str(old.pk)).exists()
    assert (home / "runs" / str(named.pk)).exists()


def test_without_kafka_nothing_is_deleted_and_the_run_says_so(
    installation: Settings, queued: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.kafka.ANSWER_S", 1.0)
    run = queued(job="retention")

    jobs.perform(installation, run.pk, command=PLAY_JOB)

    run.refresh_from_db()
    assert run.state == "failed"
    assert run.result is not None
    assert "Kafka" in run.result["text"]


def test_a_retention_run_is_recorded_like_any_other(
    installation: Settings, isolated: Settings, queued: Queue
) -> None:
    settings = replace(
        installation, kafka=isolated.kafka, topic_prefix=isolated.topic_prefix, tasks=isolated.tasks
    )
    home = installation.home
    encoder, data = _encoder(home, "base", b"{}", []), _dataset(home, "one")
    champion = _model(home, 1.0, encoder, data)
    deployments.publish(settings, "topic", champion, by="operator", why="", based_on=None)
    run = queued(job="retention")

    jobs.perform(settings, run.pk, command=PLAY_JOB)

    run.refresh_from_db()
    assert (run.state, retention.ever_deployed(settings)) == ("succeeded", {champion})
    assert run.result is not None
    assert run.result["metrics"]["models"] == 0
