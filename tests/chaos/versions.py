"""Other model versions and encoders to swap to, made from the ones that serve."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from confluent_kafka import KafkaError, Message

from infra import names
from infra.settings import Settings
from ml import artifact
from ml.artifact import EncoderManifest, ModelManifest, encoder_path, model_path
from ml.head import HEAD_FILE
from ml.messages import Deployment, encode, timestamp
from stream import deployments, kafka

CLASSIFIER = "topic"
SHORTER = 2  # what the other encoder's window is divided by, so that its vectors differ


def another_head(home: Path, model: str, encoder: str | None = None) -> str:
    """Save a version with the labels of `model` in another order, so that it answers otherwise.

    It reads the embeddings of `encoder`, or those that `model` reads.
    """
    path = model_path(home, model)
    manifest = artifact.load_manifest(path, ModelManifest)
    changed = msgspec.structs.replace(
        manifest,
        labels=manifest.labels[::-1],
        parents=[model],
        encoder=encoder or manifest.encoder,
    )
    saved, _ = artifact.save_model(home, changed, {HEAD_FILE: path / HEAD_FILE})
    return saved.name


def another_encoder(home: Path, model: str) -> str:
    """Save the encoder of `model` once more, with a shorter window; return its id."""
    manifest = artifact.load_manifest(model_path(home, model), ModelManifest)
    path = encoder_path(home, manifest.encoder)
    encoder = artifact.load_manifest(path, EncoderManifest)
    changed = msgspec.structs.replace(
        encoder, name="shorter", window=encoder.window // SHORTER, parents=[encoder.id]
    )
    return artifact.save(home, changed, {name: path / name for name in encoder.files}).id


class Swaps:
    """Deploys one version after another of a running system.

    With a producer of its own, ten a second: `deployments.publish` reads the topic each time.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = kafka.producer(settings)
        self._based_on, self._first = _serving(settings)
        self._heads = [self._first, another_head(settings.home, self._first)]
        self._encoders = self._heads[:1]
        self.done = 0

    def head(self) -> None:
        """Deploy the other head on the first encoder."""
        self._deploy(self._heads)

    def encoder(self) -> None:
        """Deploy the head on the other encoder."""
        if len(self._encoders) == 1:
            other = another_encoder(self._settings.home, self._first)
            self._encoders.append(another_head(self._settings.home, self._first, other))
        self._deploy(self._encoders)

    def _deploy(self, models: list[str]) -> None:
        models.append(models.pop(0))
        deployment = Deployment(
            classifier=CLASSIFIER,
            champion=models[0],
            based_on=self._based_on,
            by="chaos",
            at=timestamp(datetime.now(UTC)),
            why="a swap under load",
        )
        self._producer.produce(
            self._settings.topic(names.DEPLOYMENTS.name),
            key=CLASSIFIER.encode(),
            value=encode(deployment),
            on_delivery=self._written,
        )
        self._producer.flush()
        self.done += 1

    def _written(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise kafka.KafkaUnavailable(f"a swap was not written: {error}")
        _, self._based_on = kafka.place(message)


def _serving(settings: Settings) -> tuple[int, str]:
    control = deployments.read(settings)
    return control.current[CLASSIFIER].offset, control.champions[CLASSIFIER]
