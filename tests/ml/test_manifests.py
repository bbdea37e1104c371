"""What of a model version's manifest counts into its digest."""

from __future__ import annotations

import msgspec
import pytest

from ml.manifests import ModelManifest, digest

MANIFEST = ModelManifest(
    classifier="topic",
    encoder="minilm-l6+17e1",
    labels=["acq", "earn"],
    languages=["en"],
    temperature=2.0,
    threshold=0.75,
    dataset="r8+33abca7c",
    created_at="2026-03-01T12:00:00.000Z",
)
BEFORE = "9dcb5a45d913ea42891c53b4f65d6f7fcca66e568ebc05877b807381172f8774"


def test_a_plain_head_keeps_the_digest_of_older_releases() -> None:
    assert digest(MANIFEST) == BEFORE


@pytest.mark.parametrize(
    "special",
    [
        {"kind": "multilabel"},
        {"thresholds": [0.5, 0.25]},
        {"tree": {"acq": "earn"}},
        {"abstain_below": 0.4},
        {"isotonic": [[0.0, 1.0], [0.1, 0.9]]},
        {"descriptions": {"acq": "takeovers", "earn": "profits"}},
    ],
)
def test_what_changes_an_answer_changes_the_digest(special: dict[str, object]) -> None:
    assert digest(msgspec.structs.replace(MANIFEST, **special)) != BEFORE


def test_when_it_was_made_does_not_change_the_digest() -> None:
    later = msgspec.structs.replace(MANIFEST, created_at="2027-01-01T00:00:00.000Z", run="r-2")
    assert digest(later) == BEFORE
