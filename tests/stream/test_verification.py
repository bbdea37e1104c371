"""Results computed again, those on an earlier text's embedding or a standby's among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from infra import names
from infra.settings import Settings
from ml.artifact import ModelManifest, save_model, write_tensors
from ml.head import HEAD_FILE
from ml.messages import Article, Classification, Origin, Subject, encode
from ml.text import digest
from stream import kafka
from stream.verification import Verification, verify
from tests.stream.dying_engine import ENCODER
from tests.stream.routing import Routing, routing
from tests.stream.standing_in import save_encoder

LONG, SHORT = "a text of many letters", "short"  # labels acq and earn, as the head below says


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routing]:
    with routing(tmp_path_factory.mktemp("router")) as running:
        yield running


@pytest.fixture(scope="module")
def model(router: Routing) -> str:
    """A version that says acq of every text of over ten letters, earn of the others."""
    manifest = ModelManifest(
        classifier="topic",
        encoder=ENCODER,
        labels=["acq", "earn"],
        languages=["en"],
        temperature=1.0,
        threshold=None,
        dataset="r8+33abca7c",
        created_at="2026-03-01T12:00:00.000Z",
    )
    letters = np.array([[1, 0], [0, 0]], np.float32)
    tensors = {"weights": letters, "bias": np.array([0, 10], np.float32)}
    saved, _ = save_model(router.settings.home, manifest, {HEAD_FILE: write_tensors(tensors)})
    return saved.name


@pytest.fixture
def installation(isolated: Settings, router: Routing) -> Settings:
    return replace(isolated, home=router.settings.home, engine=router.settings.engine_address)


def published(
    settings: Settings,
    model: str,
    answers: list[tuple[str, str, str]],
    encoder: str = ENCODER,
    *,
    degraded: bool = False,
) -> Verification:
    """Publish articles with a result each (text, label, origin of its embedding); verify all."""
    producer = kafka.producer(settings)
    for offset, (text, label, origin) in enumerate(answers):
        article = json.dumps({"uri": f"urn:{offset}", "title": text}).encode()
        producer.produce(settings.topic(names.ARTICLES.name), article, b"k", partition=0)
        logits = np.array([len(text), 10.0])
        scores = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        result = Classification(
            uri=f"urn:{offset}",
            version=1,
            revision=1,
            digest=digest(Article(uri="", title=text).text),
            language=None,
            source=None,
            published_at=None,
            classified_at="2026-11-24T10:00:04.000Z",
            origin=Origin(0, offset),
            subjects=[
                Subject(
                    classifier="topic",
                    label=label,
                    confidence=round(float(scores[["acq", "earn"].index(label)]), 6),
                    decision="review",
                    model=model,
                    encoder=encoder,
                    embedding=origin,  # type: ignore[arg-type] # as the test says
                )
            ],
            degraded=degraded,
        )
        producer.produce(
            settings.topic(names.CLASSIFICATIONS.name), encode(result), b"k", partition=0
        )
    producer.flush()
    return verify(settings)


def test_a_result_agrees_when_its_text_gives_it_again(installation: Settings, model: str) -> None:
    outcome = published(installation, model, [(LONG, "acq", "miss"), (SHORT, "earn", "hit")])
    assert (outcome.checked, outcome.agreed, outcome.near) == (2, 2, 0)
    assert outcome.disagreements == []


def test_a_hit_with_another_label_disagrees(installation: Settings, model: str) -> None:
    outcome = published(installation, model, [(LONG, "acq", "miss"), (SHORT, "acq", "hit")])
    assert (outcome.checked, outcome.agreed) == (2, 1)
    [found] = outcome.disagreements
    assert (found.uri, found.published.split()[0]) == ("urn:1", "acq")
    assert found.computed.split()[0] == "earn"


def test_near_results_are_counted_apart_and_agree_by_label(
    installation: Settings, model: str
) -> None:
    answers = [(LONG, "acq", "near"), (SHORT, "acq", "near"), (SHORT, "earn", "miss")]
    outcome = published(installation, model, answers)
    assert outcome.as_dict() == {
        "checked": 3,
        "agreed": 1,
        "near": 2,
        "near_agreed": 1,
        "near_within_bound": True,
        "degraded": 0,
        "expired": 0,
        "agreement": 1.0,
        "disagreements": [],
    }


def test_a_degraded_result_is_computed_by_the_standby_that_it_names(
    installation: Settings, model: str
) -> None:
    twin = save_encoder(installation.home, "letters-int8", "int8", ENCODER, 1)
    answers = [(LONG, "acq", "miss"), (SHORT, "earn", "miss")]
    outcome = published(installation, model, answers, twin, degraded=True)
    assert (outcome.checked, outcome.agreed, outcome.degraded) == (2, 2, 2)


def test_a_result_on_a_vector_that_its_head_does_not_know_disagrees(
    installation: Settings, model: str
) -> None:
    stranger = save_encoder(installation.home, "digits-int8", "int8", "digits+0000", 2)
    outcome = published(installation, model, [(LONG, "acq", "miss")], stranger, degraded=True)
    [found] = outcome.disagreements
    assert found.computed == f"{model} answers on {ENCODER}, not on {stranger}"


def test_a_standbys_result_that_does_not_say_so_disagrees(
    installation: Settings, model: str
) -> None:
    twin = save_encoder(installation.home, "letters-int8", "int8", ENCODER, 1)
    outcome = published(installation, model, [(LONG, "acq", "miss")], twin)
    assert (outcome.agreed, len(outcome.disagreements)) == (0, 1)


@pytest.mark.parametrize(
    ("near", "agreed", "within"),
    [
        (0, 0, True),
        (100, 97, True),
        (100, 95, False),
        (10_000, 9_930, True),
        (10_000, 9_920, False),
    ],
)
def test_more_other_labels_than_measured_break_the_bound(
    near: int, agreed: int, within: bool
) -> None:
    assert Verification(checked=near, near=near, near_agreed=agreed).near_within_bound is within
