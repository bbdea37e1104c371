"""Which answers a near embedding may lead to."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ml.artifact import EncoderManifest, File, encoder_path, list_encoders
from ml.manifests import digest
from ml.messages import Subject
from stream.near_bounds import MEASURED, WEIGHTS, Bound, Bounds

BOUND = Bound(window=256, similarity=0.8, confidence=0.9)


def subject(classifier: str, label: str | None, confidence: float, near: bool = True) -> Subject:
    return Subject(
        classifier=classifier,
        label=label,
        confidence=confidence,
        decision="review",
        model="topic@1+0000",
        encoder="tiny+0000",
        embedding="near" if near else None,
    )


@pytest.mark.parametrize(
    ("subjects", "allowed"),
    [
        ([subject("topic", "earn", 0.9)], True),
        ([subject("topic", "earn", 0.89)], False),
        ([subject("topic", "earn", 0.99), subject("region", "asia", 0.5)], False),
        ([subject("topic", "earn", 0.99), subject("topic", "acq", 0.99)], False),
        ([subject("topic", None, 0.95)], False),
        ([subject("topic", "earn", 0.99), subject("chinese", None, 0.0, near=False)], True),
        ([subject("chinese", None, 0.0, near=False)], False),
        ([], False),
    ],
)
def test_every_classifier_must_be_sure_of_one_label(subjects: list[Subject], allowed: bool) -> None:
    assert BOUND.allows(subjects) is allowed


def manifest(**changed: object) -> EncoderManifest:
    """Return the manifest of an encoder with the weights that were measured."""
    weights = File(sha256=next(iter(MEASURED)), size=1)
    made = EncoderManifest(
        name="minilm-l6",
        config={"width": 384},
        window=256,
        languages=["en"],
        precision="f32",
        created_at="2026-03-01T12:00:00.000Z",
        files={WEIGHTS: weights},
    )
    given = msgspec.structs.replace(made, **changed)
    return msgspec.structs.replace(given, digest=digest(given))


def kept(home: Path, encoder: EncoderManifest) -> str:
    """Write a manifest into a home; return the encoder's id."""
    folder = encoder_path(home, encoder.id)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(encoder))
    return encoder.id


def test_the_encoder_of_the_assets_was_measured(assets: Path) -> None:
    newest = list_encoders(assets)[-1]
    assert Bounds(assets)(newest.id) == Bound(window=256, similarity=0.8, confidence=0.95)


@pytest.mark.parametrize(
    "changed",
    [
        {"precision": "int8"},
        {"window": 512},
        {"files": {WEIGHTS: File(sha256="0" * 64, size=1)}},
        {"files": {}},
    ],
)
def test_another_encoder_has_no_bound(tmp_path: Path, changed: dict[str, object]) -> None:
    assert Bounds(tmp_path)(kept(tmp_path, manifest(**changed))) is None


def test_measured_weights_have_a_bound_and_an_encoder_that_is_not_there_has_none(
    tmp_path: Path,
) -> None:
    assert Bounds(tmp_path)(kept(tmp_path, manifest())) == next(iter(MEASURED.values()))
    assert Bounds(tmp_path)("other+0000") is None
