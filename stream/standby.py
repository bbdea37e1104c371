"""The int8 twin that answers while its encoder is away: when, and which.

It runs on the CPU whatever runs the encoder, in a worker process like every other, and is loaded
before it is needed. What it answers is marked degraded, and answered again later (see rescoring).
"""

from __future__ import annotations

from pathlib import Path

from infra.settings import Settings
from ml.artifact import list_encoders

BESIDE_GPU_S = 10.0
"""Several times what a worker takes to load again: a plain restart degrades nothing."""

GPU = Path("/dev/nvidiactl")  # there once a driver is loaded, in containers too


def after_s(settings: Settings, gpu: Path = GPU) -> float | None:
    """Return how long an encoder is away before its twin answers, None where it never does.

    By default that is where a GPU can fail and the CPU beside it goes on. On a CPU the twin would
    only take the processor from the encoder that is being loaded.
    """
    if settings.standby_after_s < 0:
        return BESIDE_GPU_S if gpu.exists() else None
    return settings.standby_after_s or None


def find_twin(home: Path, encoder: str) -> str | None:
    """Return the id of the newest int8 encoder quantized from this one, None where there is none.

    Only of this one: an encoder that was trained further is no twin, heads do not know its vectors.
    """
    twins = [
        manifest.id
        for manifest in list_encoders(home)
        if manifest.precision == "int8" and manifest.parents == [encoder]
    ]
    return twins[-1] if twins else None
