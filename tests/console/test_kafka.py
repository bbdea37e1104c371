"""The console against the real broker: the history's reading, and deployments with confirmation."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from console.history import readings, store
from console.history.consume import History
from console.history.models import (
    Answer,
    Article,
    DeadLetter,
    DeploymentRecord,
    LagReading,
    LedgerReading,
    Position,
    Result,
)
from infra import names
from infra.settings import Settings
from ml import artifact
from stream import deployments, kafka
from tests.console.literal import article, dead_letter, kill, result

pytestmark = pytest.mark.django_db


@pytest.fixture
def connected(isolated: Settings, offline: Settings, settings: Any) -> Settings:
    """The console's settings with real servers, and topics of this test's own."""
    joined = replace(isolated, home=offline.home)
    settings.WIREROOM = joined
    return joined


def send(connected: Settings) -> None:
    """Write five messages to three topics."""
    producer = kafka.producer(connected)
    for topic, message in (
        (names.ARTICLES, article("urn:1", 0, title="Profit")),
        (names.ARTICLES, article("urn:2", 1, title="Secret")),
        (names.ARTICLES, kill("urn:2", 2)),
        (names.CLASSIFICATIONS, result("urn:1", 0)),
        (names.DEADLETTERS, dead_letter(5, b"\xff", "not UTF-8")),
    ):
        producer.produce(
            connected.topic(topic.name),
            key=message.key,
            value=message.value,
            headers=dict(message.headers),
            partition=0,
        )
    assert producer.flush(20) == 0


def follow(connected: Settings, messages: int) -> None:
    """Run a history in this thread until it has read so many messages, and a little longer."""
    stopping = threading.Event()
    history = History(connected, stopping)

    def stop() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and history.messages < messages:
            time.sleep(0.05)
        time.sleep(0.3)
        stopping.set()

    watcher = threading.Thread(target=stop)
    watcher.start()
    history.run()
    watcher.join()


def counts() -> dict[str, int]:
    """Return how many rows each projection has."""
    tables = (Article, Result, Answer, DeadLetter)
    return {model.__name__: model._default_manager.count() for model in tables}


def test_the_history_reads_every_topic_goes_on_and_can_be_rebuilt(connected: Settings) -> None:
    whole = {"Article": 3, "Result": 1, "Answer": 1, "DeadLetter": 1}
    send(connected)
    follow(connected, 5)
    assert counts() == whole
    assert Article.objects.get(place=1).title == ""
    assert (
        Position.objects.get(topic=connected.topic(names.ARTICLES.name), partition=0).next_offset
        == 3
    )
    follow(connected, 0)
    assert counts() == whole
    store.forget_everything()
    assert counts() == dict.fromkeys(whole, 0)
    follow(connected, 5)
    assert counts() == whole


def test_offsets_beyond_the_end_mean_another_topic_and_a_rebuild(connected: Settings) -> None:
    Article.objects.create(place=77, uri="urn:old", received_at=article("x", 0).at)
    topic = connected.topic(names.ARTICLES.name)
    Position.objects.create(topic=topic, partition=0, next_offset=1_000)
    send(connected)
    follow(connected, 5)
    assert counts()["Article"] == 3
    assert not Article.objects.filter(uri="urn:old").exists()


def test_lag_and_ledger_are_read_from_the_broker(connected: Settings) -> None:
    producer = kafka.producer(connected)
    producer.produce(connected.topic(names.ARTICLES.name), key=b"urn:1", value=b"{}", partition=3)
    producer.flush(20)
    readings.read_lag(connected, kafka.consumer(connected))
    readings.read_ledger(connected)
    lag = LagReading.objects.get()
    assert lag.total == 1
    assert lag.partitions[3] == {"partition": 3, "end": 1, "committed": -1, "lag": 1}
    ledger = LedgerReading.objects.get()
    assert (ledger.inputs, ledger.waiting, ledger.difference) == (1, 1, 0)


@pytest.fixture
def model(connected: Settings, assets: Path) -> str:
    """The name of the model version that comes with an installation."""
    artifact.install(assets, connected.home)
    return artifact.list_models(connected.home)[-1].name


def test_a_deployment_is_confirmed_and_published(
    operator: Client, connected: Settings, model: str
) -> None:
    address = f"/models/{model}/deploy/"
    asked = operator.get(address).content.decode()
    assert "What will happen" in asked
    assert deployments.read(connected).records == []  # asking changes nothing
    answer = operator.post(
        address, {"champion": model, "based_on": "", "why": "first"}, follow=True
    )
    assert "is deployed for topic by record 0" in answer.content.decode()
    record = deployments.read(connected).records[0]
    assert (record.deployment.champion, record.deployment.by) == (model, "operator")
    assert (record.deployment.why, record.effective) == ("first", True)


def test_a_stale_confirmation_changes_nothing(
    operator: Client, connected: Settings, model: str
) -> None:
    deployments.publish(connected, "topic", "topic@7+aaaa", by="another", based_on=None)
    form = {"champion": model, "based_on": "", "why": ""}
    answer = operator.post(f"/models/{model}/deploy/", form)
    assert answer.status_code == 409
    assert "topic was changed by another" in answer.content.decode()
    assert deployments.read(connected).champions == {"topic": "topic@7+aaaa"}


def test_rolling_back_puts_the_version_before_in_its_place(
    operator: Client, connected: Settings, model: str
) -> None:
    deployments.publish(connected, "topic", model, by="a", based_on=None)
    deployments.publish(connected, "topic", "topic@7+aaaa", by="b", based_on=0)
    follow(connected, 2)
    assert [r.effective for r in DeploymentRecord.objects.order_by("offset")] == [True, True]
    address = "/classifiers/topic/rollback/"
    assert (
        f'Roll back topic to <span class="mono">{model}' in operator.get(address).content.decode()
    )
    operator.post(address, {"champion": model, "based_on": "1", "why": "worse"})
    assert deployments.read(connected).champions == {"topic": model}


def test_a_broker_that_is_away_is_told_and_nothing_claimed(
    operator: Client, offline: Settings, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact.install(assets, offline.home)
    monkeypatch.setattr(kafka, "ANSWER_S", 1.0)
    name = artifact.list_models(offline.home)[-1].name
    answer = operator.post(f"/models/{name}/deploy/", {"champion": name, "based_on": ""})
    assert answer.status_code == 503
    assert "Not deployed" in answer.content.decode()


def test_broken_files_are_not_deployed(operator: Client, connected: Settings, model: str) -> None:
    folder = artifact.model_path(connected.home, model)
    file = next(path for path in folder.iterdir() if path.name != "manifest.json")
    content = file.read_bytes()
    file.unlink()  # it is a hard link to the assets' file
    file.write_bytes(content[:-1] + b"\0")
    answer = operator.post(f"/models/{model}/deploy/", {"champion": model, "based_on": ""})
    assert answer.status_code == 409
    assert "its files are broken" in answer.content.decode()
    assert deployments.read(connected).records == []
