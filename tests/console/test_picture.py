"""The picture of a model: its parameters are those that lie in the files."""

from __future__ import annotations

import math
from pathlib import Path

from django.test import Client, override_settings

from console.versions import picture
from infra.settings import Settings
from ml import artifact
from ml.artifact import read_tensors


def test_the_parameters_are_those_in_the_files(assets: Path) -> None:
    model = artifact.list_models(assets, "topic")[-1]
    encoder = artifact.find_encoder(assets, model.encoder)
    tensors = [
        *read_tensors(artifact.encoder_path(assets, encoder.id) / "weights.safetensors").values(),
        *read_tensors(artifact.model_path(assets, model.name) / "head.safetensors").values(),
    ]

    drawn = picture.draw(encoder, model)

    assert drawn.parameters == sum(math.prod(tensor.shape) for tensor in tensors)
    assert [box.layer.times for box in drawn.boxes] == [1, 1, 1, 6, 6, 1, 1]
    assert drawn.boxes[-1].layer.shape == "(B, 8)"


def test_a_version_shows_its_layers(operator: Client, assets: Path) -> None:
    model = artifact.list_models(assets, "topic")[-1]
    with override_settings(WIREROOM=Settings(home=assets)):
        page = operator.get(f"/models/{model.name}/").content.decode()

    assert "self-attention, norm × 6" in page
    assert "12 heads of 32" in page
    assert " style=" not in page
