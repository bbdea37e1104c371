"""A home whose encoder has an int8 twin, to be started with the standby on."""

from __future__ import annotations

import os
import random
from pathlib import Path

from infra.settings import Settings
from ml.artifact import find_encoder, install
from ml.compression import quantize
from tests.chaos.articles import Corpus
from tests.chaos.faults import ENCODER

CALIBRATION_TEXTS = 32  # a tenth of the job's: how well it answers is not what is tried
RESCORE_S = 5.0


def prepare(home: Path, after_s: float) -> None:
    """Fill a home, quantize its encoder, and switch the standby on for what is started next."""
    assets = Settings().assets
    install(assets, home)
    draw, corpus = random.Random(1), Corpus(assets)
    texts = [corpus.text(draw) for _ in range(CALIBRATION_TEXTS)]
    quantize(home, find_encoder(home, ENCODER), texts, "a trial")
    os.environ["WIREROOM_STANDBY_AFTER_S"] = str(after_s)
    os.environ["WIREROOM_RESCORE_EVERY_S"] = str(RESCORE_S)
