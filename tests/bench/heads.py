"""What more classifiers cost: the system with 100 deployed against the same system with one."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from infra import names
from infra.settings import Settings
from ml.artifact import ModelManifest, list_models, model_path, save_model
from ml.head import HEAD_FILE
from ml.messages import Deployment, encode, timestamp
from stream import deployments, kafka
from tests.bench.corpus import Supply
from tests.bench.figures import Figure
from tests.bench.system import NotStarted, System
from tests.bench.turns import answer, show

MANY = 100
ROUNDS = 3
APPLIED_S = 60.0


def measure(running: System, supply: Supply, size: int, console: Console) -> Figure:
    """Return the rate with 100 classifiers / with one, taking turns; raises NotStarted."""
    settings = running.settings
    copies = _copy(settings.home, list_models(settings.home)[0], MANY - 1)
    ratios = []
    for _ in range(ROUNDS):
        one = answer(running, supply.take(size), backlog=True)
        show(console, "1 classifier", one)
        _deploy(settings, {m.classifier: m.name for m in copies})
        _wait_for(running, MANY, supply)
        many = answer(running, supply.take(size), backlog=True)
        show(console, f"{MANY} classifiers", many)
        _deploy(settings, {m.classifier: None for m in copies})
        _wait_for(running, 1, supply)
        ratios.append(many.rate / one.rate)
    return Figure(
        f"heads_{MANY}_vs_1", f"rate with {MANY} classifiers / with 1", ">= 0.9", ratios=ratios
    )


def _copy(home: Path, model: ModelManifest, count: int) -> list[ModelManifest]:
    """Save the model under other classifiers' names."""
    files: dict[str, bytes | Path] = {HEAD_FILE: model_path(home, model.name) / HEAD_FILE}
    made = []
    for n in range(count):
        draft = msgspec.structs.replace(
            model, classifier=f"{model.classifier}-{n:03}", number=0, digest="", files={}
        )
        made.append(save_model(home, draft, files)[0])
    return made


def _deploy(settings: Settings, champions: dict[str, str | None]) -> None:
    """Put these in service, or out of it, with one flush: a hundred at the operator's pace take
    half a minute."""
    known = deployments.read(settings).current
    producer = kafka.producer(settings)
    for classifier, champion in champions.items():
        before = known.get(classifier)
        record = Deployment(
            classifier=classifier,
            champion=champion,
            based_on=before.offset if before else None,
            by="bench",
            at=timestamp(datetime.now(UTC)),
        )
        producer.produce(
            settings.topic(names.DEPLOYMENTS.name), key=classifier.encode(), value=encode(record)
        )
    producer.flush()


def _wait_for(running: System, count: int, supply: Supply) -> None:
    """Return when every agent answers with so many classifiers; they look between two batches."""
    deadline = time.monotonic() + APPLIED_S
    while time.monotonic() < deadline:
        answer(running, supply.take(2 * names.PARTITIONS))
        figures = running.figures()
        if all(len(f["models"]) == count for name, f in figures.items() if name != "engine"):
            return
    raise NotStarted(f"not {count} classifiers after {APPLIED_S} s")
