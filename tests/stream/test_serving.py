"""What an agent answers with while deployments change and their encoders load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ml.artifact import ModelManifest, save_model, write_tensors
from ml.head import HEAD_FILE
from ml.messages import Article
from stream.embedding_cache import Embedding
from stream.rollout import Rollout
from stream.serving import Serving
from tests.running import wait_until
from tests.stream.dying_engine import ENCODER, LOADING_S
from tests.stream.routing import Routing, routing

SLOW = "slow+0000"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Routing]:
    with routing(tmp_path) as running:
        yield running


@pytest.fixture
def serving(router: Routing) -> Serving:
    return Serving(router.settings.home, router.client(), Rollout(router.settings.engine_address))


def model(home: Path, encoder: str, classifier: str = "topic", language: str = "en") -> str:
    """Save a model version on an encoder and return its name."""
    manifest = ModelManifest(
        classifier=classifier,
        encoder=encoder,
        labels=["acq", "earn"],
        languages=[language],
        temperature=1.0,
        threshold=None,
        dataset="r8+33abca7c",
        created_at="2026-03-01T12:00:00.000Z",
    )
    weights = {"weights": np.eye(2, dtype=np.float32), "bias": np.zeros(2, np.float32)}
    saved, _ = save_model(home, manifest, {HEAD_FILE: write_tensors(weights)})
    return saved.name


def test_the_first_deployment_is_waited_for(serving: Serving, router: Routing) -> None:
    topic = model(router.settings.home, SLOW)
    serving.apply({"topic": topic})
    assert serving.models == {"topic": topic}
    assert list(serving.encoders()) == [SLOW]


def test_each_article_is_answered_by_the_classifiers_of_its_language(
    serving: Serving, router: Routing
) -> None:
    home = router.settings.home
    models = {
        name: model(home, ENCODER, name, language)
        for name, language in (("topic", "en"), ("thema", "de"))
    }
    serving.apply(models)
    articles = [
        (Article(uri="a", language="en"), "oil"),
        (Article(uri="b", language="de-AT"), "oel"),
        (Article(uri="c"), "?"),
        (Article(uri="d"), ""),
    ]
    vectors = [np.array(v, np.float16) for v in ([0, 1], [1, 0], [1, 0])]
    found = [*(Embedding(vector, truncated=False) for vector in vectors), None]
    answered = serving.subjects(
        articles, {ENCODER: found}, {ENCODER: ["miss", "hit", "near", "hit"]}
    )
    assert [[(s.classifier, s.label, s.embedding) for s in subjects] for subjects in answered] == [
        [("topic", "earn", "miss"), ("thema", None, None)],
        [("topic", None, None), ("thema", "acq", "hit")],
        [("topic", "acq", "near"), ("thema", "acq", "near")],
        [("topic", None, None), ("thema", None, None)],
    ]
    assert {s.confidence for subjects in answered for s in subjects} == {0.731059, 0.0}


def test_the_version_before_serves_while_a_new_encoder_loads(
    serving: Serving, router: Routing
) -> None:
    home = router.settings.home
    before, after = model(home, ENCODER), model(home, SLOW)
    serving.apply({"topic": before})
    longest = 0.0
    started = time.monotonic()
    serving.apply({"topic": after})
    assert serving.models == {"topic": before}
    while serving.models == {"topic": before}:
        began = time.monotonic()
        serving.go_on()
        assert list(serving.encoders()) == [ENCODER] or serving.models == {"topic": after}
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
        assert began - started < 5 * LOADING_S
    assert serving.models == {"topic": after}
    assert time.monotonic() - started > LOADING_S
    assert longest < LOADING_S / 2
    assert list(serving.encoders()) == [SLOW]


@pytest.mark.parametrize("encoder", ["broken+0000", "dying+0000"])
def test_a_new_encoder_that_cannot_be_loaded_is_reported_and_the_old_one_goes_on(
    encoder: str, serving: Serving, router: Routing
) -> None:
    home = router.settings.home
    before, after = model(home, ENCODER), model(home, encoder)
    serving.apply({"topic": before})
    serving.apply({"topic": after})
    assert serving.failures == {}

    def has_failed() -> bool:
        serving.go_on()
        return bool(serving.failures)

    wait_until(has_failed, 15, "a failure")
    assert serving.models == {"topic": before}
    assert serving.failures["topic"].startswith(f"{after}: {encoder}")
    serving.apply({"topic": before})
    assert serving.failures == {}


def test_a_deployment_taken_back_while_its_encoder_loads_is_never_served(
    serving: Serving, router: Routing
) -> None:
    home = router.settings.home
    before, after = model(home, ENCODER), model(home, SLOW)
    serving.apply({"topic": before})
    serving.apply({"topic": after})
    serving.apply({"topic": before})
    wait_until(lambda: SLOW in router.figures()["encoders"], 10, "the slow encoder")
    serving.go_on()
    assert serving.models == {"topic": before}


def test_a_version_that_is_not_there_is_reported(serving: Serving, router: Routing) -> None:
    before = model(router.settings.home, ENCODER)
    serving.apply({"topic": before})
    serving.apply(
        {"topic": "topic@9+0000", "region": model(router.settings.home, ENCODER, "region")}
    )
    assert list(serving.models) == ["topic", "region"]
    assert serving.models["topic"] == before
    assert serving.failures["topic"].startswith("topic@9+0000: ")


def test_an_agent_keeps_its_encoders_loaded_though_no_article_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.rollout.KEEP_EVERY_S", 0.2)
    with routing(tmp_path, engine_idle_s=1.0) as router:
        serving = Serving(tmp_path, router.client(), Rollout(router.settings.engine_address))
        serving.apply({"topic": model(tmp_path, ENCODER)})
        workers = [worker.pid for worker in router.workers()]
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            serving.go_on()
            time.sleep(0.05)
        assert [worker.pid for worker in router.workers()] == workers


def test_a_new_classifier_joins_once_its_encoder_is_loaded(
    serving: Serving, router: Routing
) -> None:
    topic, region = (
        model(router.settings.home, ENCODER),
        model(router.settings.home, SLOW, "region"),
    )
    serving.apply({"topic": topic})
    serving.apply({"region": region, "topic": topic})
    assert serving.models == {"topic": topic}

    def has_joined() -> bool:
        serving.go_on()
        return len(serving.models) == 2

    wait_until(has_joined, 10, "the new classifier")
    assert list(serving.models.items()) == [("region", region), ("topic", topic)]
