"""Reuters R8 through Kafka: the labels of the head alone, and so its accuracy."""

from __future__ import annotations

import json
import random

from ml.artifact import encoder_path, find_dataset, model_path
from ml.datasets import load_dataset
from ml.embedder import Embedder
from ml.head import Head
from stream import deployments, publisher
from stream.publisher import Item
from tests.answers import following
from tests.running import Running

SHARE = 600  # of the 2,189 articles of the test split
LEAST = 0.95  # of all 2,189 it is 96 %; of 600 that varies by 0.8 %


def test_r8_through_kafka_gets_the_labels_and_the_accuracy_of_the_head(system: Running) -> None:
    home = system.settings.home
    _, rows = load_dataset(home, find_dataset(home, "r8").id)
    chosen = random.Random(8).sample([row for row in rows if row.split == "test"], SHARE)
    items = [
        Item(
            f"r8:{n}",
            json.dumps(
                {"uri": f"r8:{n}", "title": row.title, "body": row.body, "language": "en"}
            ).encode(),
        )
        for n, row in enumerate(chosen)
    ]
    with following(system) as answers:
        publisher.publish(system.settings, items)
        found = answers.to([item.uri for item in items])
    labels = [found[item.uri].subjects[0].label for item in items]

    head = Head.load(model_path(home, deployments.read(system.settings).champions["topic"]))
    embedder = Embedder(encoder_path(home, head.manifest.encoder))
    vectors, _ = embedder.embed([row.text for row in chosen])
    alone = [head.manifest.labels[n] for n in head.scores(vectors).argmax(axis=1)]
    assert labels == alone
    right = sum(label == row.label for label, row in zip(labels, chosen, strict=True))
    assert right / SHARE >= LEAST
