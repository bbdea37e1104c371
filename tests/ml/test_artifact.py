"""An artifact is whole and what it says, or refused with the file's name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save_file

from ml import artifact
from ml.artifact import ArtifactError, ModelManifest

HEAD = {
    "weights": np.array([[1.0, -1.0], [0.5, 0.25]], np.float32),
    "bias": np.array([0.0, 1.0], np.float32),
}
UNSAVED = ModelManifest(
    classifier="topic",
    encoder="minilm-l6+17e1",
    labels=["acq", "earn"],
    languages=["en"],
    temperature=1.5,
    threshold=0.7,
    dataset="r8+33abca7c",
    created_at="2026-03-01T12:00:00.000Z",
)


def saved(home: Path, manifest: ModelManifest = UNSAVED) -> tuple[ModelManifest, Path]:
    made, new = artifact.save_model(
        home, manifest, {"head.safetensors": artifact.write_tensors(HEAD)}
    )
    assert new
    return made, artifact.model_path(home, made.name)


def rewrite(file: Path, content: bytes) -> None:
    file.unlink()  # saved files are read-only
    file.write_bytes(content)


def test_what_was_saved_is_what_is_loaded(home: Path) -> None:
    manifest, path = saved(home)
    assert artifact.load_manifest(path, ModelManifest) == manifest
    artifact.check_files(path, manifest)
    tensors = artifact.read_tensors(path / "head.safetensors")
    assert tensors["weights"].tolist() == [[1.0, -1.0], [0.5, 0.25]]
    assert tensors["bias"].tolist() == [0.0, 1.0]
    assert sorted(p.name for p in path.parent.iterdir()) == [".lock", path.name]


def test_equal_content_is_the_same_version(home: Path) -> None:
    first, _ = saved(home)
    later = msgspec.structs.replace(UNSAVED, created_at="2027-01-01T00:00:00.000Z", run="another")
    files = {"head.safetensors": artifact.write_tensors(HEAD)}
    assert artifact.save_model(home, later, files) == (first, False)


def test_other_content_takes_the_next_number(home: Path) -> None:
    first, _ = saved(home)
    second, _ = saved(home, msgspec.structs.replace(UNSAVED, temperature=2.0))
    assert (first.number, second.number) == (1, 2)
    assert [m.name for m in artifact.list_models(home, "topic")] == [first.name, second.name]


def test_a_torn_file_is_refused(home: Path) -> None:
    manifest, path = saved(home)
    file = path / "head.safetensors"
    whole = file.read_bytes()
    rewrite(file, whole[:-1])
    with pytest.raises(ArtifactError, match=f"expected {len(whole)} bytes, got {len(whole) - 1}"):
        artifact.check_files(path, manifest)


def test_a_tampered_file_is_refused(home: Path) -> None:
    manifest, path = saved(home)
    file = path / "head.safetensors"
    rewrite(file, file.read_bytes()[:-1] + b"\x41")
    with pytest.raises(ArtifactError, match=r"head\.safetensors: expected sha256 [0-9a-f]{64}"):
        artifact.check_files(path, manifest)


def test_a_missing_file_is_refused(home: Path) -> None:
    manifest, path = saved(home)
    (path / "head.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"head\.safetensors: missing"):
        artifact.check_files(path, manifest)


def test_a_file_that_the_manifest_does_not_name_is_refused(home: Path) -> None:
    manifest, path = saved(home)
    (path / "extra.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"extra\.json: not in the manifest"):
        artifact.check_files(path, manifest)


def test_a_link_is_no_file(home: Path, tmp_path: Path) -> None:
    manifest, path = saved(home)
    file = path / "head.safetensors"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="not a plain file"):
        artifact.check_files(path, manifest)


def test_a_tampered_manifest_is_refused(home: Path) -> None:
    _, path = saved(home)
    fields = json.loads((path / "manifest.json").read_bytes())
    rewrite(path / "manifest.json", json.dumps({**fields, "threshold": 0.1}).encode())
    with pytest.raises(ArtifactError, match=r"expected digest [0-9a-f]{64}, got [0-9a-f]{64}"):
        artifact.load_manifest(path, ModelManifest)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"type":"encoder"}', b"[" * 100_000])
def test_a_manifest_of_junk_is_refused(home: Path, content: bytes) -> None:
    _, path = saved(home)
    rewrite(path / "manifest.json", content)
    with pytest.raises(ArtifactError, match=r"manifest\.json: not a manifest"):
        artifact.load_manifest(path, ModelManifest)


def test_an_artifact_under_another_name_is_refused(home: Path) -> None:
    manifest, path = saved(home)
    moved = path.rename(path.with_name(f"2+{manifest.digest[:4]}"))
    with pytest.raises(ArtifactError, match=r"this is models/topic/1\+"):
        artifact.load_manifest(moved, ModelManifest)


def test_a_broken_version_is_left_out_of_the_list(home: Path) -> None:
    _, path = saved(home)
    second, _ = saved(home, msgspec.structs.replace(UNSAVED, temperature=2.0))
    rewrite(path / "manifest.json", b"{")
    assert [m.name for m in artifact.list_models(home)] == [second.name]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_no_number_is_neither_written_nor_read(
    tmp_path: Path, number: float
) -> None:
    tensors = {"bias": np.array([0.0, number], np.float32)}
    with pytest.raises(ArtifactError, match="bias holds NaN or infinity"):
        artifact.write_tensors(tensors)
    save_file(tensors, tmp_path / "head.safetensors")
    with pytest.raises(ArtifactError, match="bias holds NaN or infinity"):
        artifact.read_tensors(tmp_path / "head.safetensors")


def test_junk_is_no_tensor_file(tmp_path: Path) -> None:
    (tmp_path / "head.safetensors").write_bytes(b"\x80\x04}.")
    with pytest.raises(ArtifactError, match="not a safetensors file"):
        artifact.read_tensors(tmp_path / "head.safetensors")


@pytest.mark.parametrize(
    "name",
    ["../head.json", "/etc/head.json", "a/b.json", ".json", "head.pkl", "head.py", "manifest.json"],
)
def test_a_file_that_leaves_or_could_run_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="no file of an artifact"):
        artifact.save_model(home, UNSAVED, {name: b"{}"})
    assert artifact.list_models(home) == []
    assert not list((home / "models" / "topic").glob(".draft-*"))


@pytest.mark.parametrize("name", ["../x@1+9f3c", "topic@0+9f3c", "topic@1", "topic@1+9F3C", ""])
def test_only_a_version_names_a_model(home: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="is no model version"):
        artifact.model_path(home, name)


@pytest.mark.parametrize("name", ["..+17e1", "a/b+17e1", "minilm-l6", "minilm-l6+17e1/.."])
def test_only_an_id_names_an_encoder(home: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="is no encoder id"):
        artifact.encoder_path(home, name)


def test_an_unknown_dataset_is_told_with_the_known_ones(assets: Path) -> None:
    with pytest.raises(ArtifactError, match="there is no dataset 'r90'; known: r52, r8"):
        artifact.find_dataset(assets, "r90")


def test_installing_takes_the_assets_once(assets: Path, home: Path) -> None:
    added = artifact.install(assets, home)
    assert [folder.split("/")[0] for folder in added] == [
        "encoders",
        "datasets",
        "datasets",
        "models",
    ]
    assert artifact.install(assets, home) == []
    (model,) = artifact.list_models(home, "topic")
    artifact.check_files(artifact.model_path(home, model.name), model)


def test_a_draft_that_a_killed_writer_left_is_removed_a_day_later(home: Path) -> None:
    shelf = home / "models" / "topic"
    for name, age in ((".draft-old", 90_000), (".draft-new", 60)):
        (shelf / name).mkdir(parents=True)
        at = (shelf / name).stat().st_mtime - age
        os.utime(shelf / name, (at, at))
    saved(home)
    assert [p.name for p in shelf.glob(".draft-*")] == [".draft-new"]
