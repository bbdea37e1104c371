"""One head over three site processes whose labels are skewed, beside the same articles pooled."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from infra.settings import ROOT
from ml.federated import SiteProcess, fit_federated
from ml.federated_site import Site, save_site
from ml.training import TrainingError, agreement, fit_head

CENTRES = {"crude": 0, "earn": 1, "grain": 2}


def articles(count: int) -> tuple[np.ndarray, list[str]]:
    """Return unit vectors float16 `(N, 6)` around three centres, with their labels."""
    draw = np.random.default_rng(9)
    labels = [sorted(CENTRES)[n] for n in draw.integers(0, 3, count)]
    vectors = draw.standard_normal((count, 6)) * 0.4
    vectors[np.arange(count), [CENTRES[label] for label in labels]] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16), labels


def site_of(n: int, label: str) -> int:
    """Return which of three sites an article lies at: nine in ten of a label at one of them."""
    return CENTRES[label] if n % 10 else (CENTRES[label] + 1) % 3


def command(file: Path) -> list[str]:
    return [sys.executable, "-m", "ml.federated_site", str(file)]


def test_three_skewed_sites_fit_the_head_that_their_pooled_articles_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    vectors, labels = articles(1_200)
    train, validation = np.arange(1_200) < 600, (np.arange(1_200) >= 600) & (np.arange(1_200) < 800)
    splits = np.where(train, "train", np.where(validation, "validation", "test"))
    place = np.array([site_of(n, label) for n, label in enumerate(labels)])
    name = np.array(labels)
    with ExitStack() as stack:
        sites = []
        for n in range(3):
            here = (place == n) & (splits != "test")
            file = tmp_path / f"{n}.safetensors"
            save_site(file, vectors[here], name[here].tolist(), validation[here])
            sites.append(stack.enter_context(SiteProcess(command(file))))
        together = fit_federated(sites)
    pooled = fit_head(vectors, labels, splits.tolist())
    assert together.labels == pooled.labels == ["crude", "earn", "grain"]
    assert together.strength == pooled.strength
    test = splits == "test"
    one, other = (agreement(fit, vectors[test], name[test]) for fit in (together, pooled))
    assert abs(one - other) <= 0.01
    counts = together.notes["federated"]["sites"]
    assert [max(each, key=lambda label: each[label]) for each in counts] == sorted(CENTRES)


def test_a_sites_gradient_is_a_sum_over_its_articles() -> None:
    site = Site(np.array([[1.0], [2.0]]), ["a", "b"], np.array([False, True]))
    site.agree(["a", "b"])
    # At zero weights both labels have 1/2: an article's error is 1/2 for the other, -1/2 for its own.
    loss, gradient = site.gradient(np.zeros((2, 2)), all_rows=False)
    assert loss == pytest.approx(np.log(2))
    np.testing.assert_allclose(gradient, [[-0.5, 0.5], [-0.5, 0.5]])
    loss, gradient = site.gradient(np.zeros((2, 2)), all_rows=True)
    assert loss == pytest.approx(2 * np.log(2))
    np.testing.assert_allclose(gradient, [[0.5, -0.5], [0.0, 0.0]])
    assert site.right(np.array([[0.0, 1.0], [0.0, 0.0]])) == (1, 1)


def test_sites_of_different_encoders_are_refused() -> None:
    sites = [Site(np.ones((2, width)), ["a", "b"], np.zeros(2, bool)) for width in (3, 4)]
    with pytest.raises(TrainingError, match=r"different widths: \[3, 4\]"):
        fit_federated(sites)


def test_a_site_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with (
        SiteProcess(["false"]) as gone,
        pytest.raises(TrainingError, match="site false"),
    ):
        fit_federated([gone])
