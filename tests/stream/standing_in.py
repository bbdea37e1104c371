"""Encoders as a home holds them, without anything that could compute."""

from __future__ import annotations

from pathlib import Path

from ml.artifact import EncoderManifest, save


def save_encoder(home: Path, name: str, precision: str, parent: str, day: int) -> str:
    """Save an encoder made of `parent` on a day of May and return its id."""
    manifest = EncoderManifest(
        name=name,
        config={"width": 2},
        window=64,
        languages=["en"],
        precision=precision,
        created_at=f"2026-05-{day:02}T00:00:00.000Z",
        parents=[parent],
    )
    return save(home, manifest, {"tokenizer.json": f"{day}".encode()}).id
