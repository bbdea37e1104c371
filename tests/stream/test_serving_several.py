"""What an agent answers with a classifier that gives any number of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.artifact import ModelManifest, save_model, write_tensors
from ml.head import HEAD_FILE
from ml.messages import Article
from stream.embedding_cache import Embedding
from stream.rollout import Rollout
from stream.serving import Serving
from tests.stream.dying_engine import ENCODER
from tests.stream.routing import routing


def save(home: Path, hidden: bool) -> str:
    """Save a version whose labels' logits are the embedding's two parts, times 8 less 4."""
    manifest = ModelManifest(
        classifier="desks",
        encoder=ENCODER,
        labels=["grain", "wheat", "ship"],
        languages=["en"],
        temperature=1.0,
        threshold=0.75,
        dataset="reuters90+33abca7c",
        created_at="2026-03-01T12:00:00.000Z",
        kind="multilabel",
        thresholds=[0.5, 0.5, 0.5],
        tree={"wheat": "grain"},
    )
    weights = np.array([[0, 8, 0], [0, 0, 8]], np.float32)
    tensors = {"weights": weights, "bias": np.full(3, -4, np.float32)}
    if hidden:  # it hands positive parts on as they are
        tensors |= {"hidden": np.eye(2, dtype=np.float32), "hidden_bias": np.zeros(2, np.float32)}
    return save_model(home, manifest, {HEAD_FILE: write_tensors(tensors)})[0].name


@pytest.mark.parametrize("hidden", [False, True])
def test_an_article_gets_one_subject_a_label_or_one_abstention(
    tmp_path: Path, hidden: bool
) -> None:
    vectors = ([1.0, 0.0], [0.0, 0.5], [0.0, 0.0])  # surely wheat; just ship; nothing
    with routing(tmp_path) as router:
        serving = Serving(
            router.settings.home, router.client(), Rollout(router.settings.engine_address)
        )
        name = save(router.settings.home, hidden)
        serving.apply({"desks": name})
        answered = serving.subjects(
            [(Article(uri=f"urn:{n}", title="a"), "a") for n in range(3)],
            {ENCODER: [Embedding(np.array(v, np.float16), False) for v in vectors]},
            {ENCODER: ["miss", "hit", "near"]},
        )
    assert [
        [(s.label, s.confidence, s.decision, s.embedding, s.model) for s in its] for its in answered
    ] == [
        [
            ("grain", 0.982014, "accept", "miss", name),
            ("wheat", 0.982014, "accept", "miss", name),
        ],
        [("ship", 0.5, "review", "hit", name)],
        [(None, 0.017986, "abstain", "near", name)],
    ]
