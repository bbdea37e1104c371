"""Artifacts on disk: folders of files beside a manifest that names and hashes each of them.

Saving writes a temporary sibling, flushes it to the disk and renames it, so that a reader finds a
whole artifact or none. Loading checks every size and sha256 and refuses anything else. Both are of
the plain content, also where files are sealed (see `ml.sealing`): a manifest names its artifact by
what it says, on every installation and under every key, and a seal has its own check. Nothing
that can run code is ever read: safetensors, JSON, compressed JSON lines and OpenVINO's IR alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as safetensors_from
from safetensors.numpy import save as safetensors_bytes

from ml import sealing
from ml.manifests import DatasetManifest, EncoderManifest, File, Manifest, ModelManifest, digest
from ml.sealing import OVERHEAD, is_file_sealed

__all__ = [
    "ArtifactError",
    "DatasetManifest",
    "EncoderManifest",
    "File",
    "Manifest",
    "ModelManifest",
    "check_files",
    "dataset_path",
    "encoder_path",
    "find_dataset",
    "find_encoder",
    "find_model",
    "install",
    "list_datasets",
    "list_encoders",
    "list_models",
    "load_manifest",
    "model_path",
    "read_file",
    "read_tensors",
    "save",
    "save_model",
    "write_tensors",
]

M = TypeVar("M", EncoderManifest, ModelManifest, DatasetManifest)
log = logging.getLogger("wireroom.artifact")

MANIFEST = "manifest.json"
SUFFIXES = (".safetensors", ".json", ".xml", ".bin", ".jsonl.gz")
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_ELEMENTS = 256 * 1024 * 1024
"""Numbers in one tensor: 1 GiB of float32. The largest table we know (e5-small's) has 96 million."""

DRAFT_LIFE_S = 24 * 60 * 60  # no job runs this long; an older draft is what a killed one left

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")
_NAME = r"[a-z0-9][a-z0-9_.-]{0,60}"
_ENCODER = re.compile(rf"{_NAME}\+[0-9a-f]{{4}}")
_DATASET = re.compile(rf"{_NAME}\+[0-9a-f]{{8}}")
_MODEL = re.compile(rf"({_NAME})@([1-9][0-9]{{0,8}}\+[0-9a-f]{{4}})")


class ArtifactError(Exception):
    """An artifact that is missing, broken or not what it says; the message names the file."""


def encoder_path(home: Path, encoder_id: str) -> Path:
    """Return the folder of an encoder, e.g. `minilm-l6+53aa`; raises ArtifactError on other names."""
    if not _ENCODER.fullmatch(encoder_id):
        raise ArtifactError(f"{encoder_id!r} is no encoder id; expected e.g. minilm-l6+53aa")
    return home / "encoders" / encoder_id


def model_path(home: Path, model_name: str) -> Path:
    """Return the folder of a model version, e.g. `topic@12+9f3c`; raises ArtifactError."""
    match = _MODEL.fullmatch(model_name)
    if not match:
        raise ArtifactError(f"{model_name!r} is no model version; expected e.g. topic@12+9f3c")
    return home / "models" / match[1] / match[2]


def dataset_path(home: Path, dataset_id: str) -> Path:
    """Return the folder of a dataset version, e.g. `r8+1a2b3c4d`; raises ArtifactError."""
    if not _DATASET.fullmatch(dataset_id):
        raise ArtifactError(f"{dataset_id!r} is no dataset version; expected e.g. r8+1a2b3c4d")
    return home / "datasets" / dataset_id


def load_manifest(path: Path, kind: type[M]) -> M:
    """Read the manifest of the artifact in `path`, and check that it is the one named so.

    The files beside it are not read: `check_files` does. Raises ArtifactError.
    """
    file = path / MANIFEST
    try:
        if file.stat().st_size > MAX_MANIFEST_BYTES:
            raise ArtifactError(f"{file}: over {MAX_MANIFEST_BYTES} bytes")
        manifest = msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ArtifactError(f"{path.name}: no such artifact ({file} is missing)") from None
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise ArtifactError(f"{file}: not a manifest ({error})") from error
    if (expected := digest(manifest)) != manifest.digest:
        raise ArtifactError(f"{file}: expected digest {expected}, got {manifest.digest}")
    if not path.as_posix().endswith("/" + manifest.folder):
        raise ArtifactError(f"{file}: this is {manifest.folder}, not {path.name}")
    if isinstance(manifest, ModelManifest) and len(set(manifest.labels)) != len(manifest.labels):
        raise ArtifactError(f"{file}: a label stands twice")
    return manifest


def check_files(path: Path, manifest: Manifest) -> None:
    """Compare the folder with its manifest; raises ArtifactError naming file, expected and got."""
    present = {entry.name for entry in path.iterdir()} - {MANIFEST}
    if unknown := sorted(present - manifest.files.keys()):
        raise ArtifactError(f"{path / unknown[0]}: not in the manifest")
    for name, expected in manifest.files.items():
        check_file_name(name)
        file = path / name
        try:
            status = file.lstat()
        except FileNotFoundError:
            raise ArtifactError(f"{file}: missing") from None
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError(f"{file}: not a plain file")
        sealed = is_file_sealed(file)
        size = status.st_size - (OVERHEAD if sealed else 0)
        if size != expected.size:
            raise ArtifactError(f"{file}: expected {expected.size} bytes, got {size}")
        got = hashlib.sha256(read_file(file)).hexdigest() if sealed else sha256_of(file)
        if got != expected.sha256:
            raise ArtifactError(f"{file}: expected sha256 {expected.sha256}, got {got}")


def check_file_name(name: str) -> None:
    """Refuse a file name that leaves its folder or whose format could run code."""
    if not _FILE.fullmatch(name) or not name.endswith(SUFFIXES) or name == MANIFEST:
        raise ArtifactError(f"{name!r}: no file of an artifact; known are {' '.join(SUFFIXES)}")


def read_file(file: Path) -> bytes:
    """Return the plain content of an artifact's file; raises ArtifactError."""
    try:
        return sealing.read(file)
    except (sealing.SealError, OSError) as error:
        raise ArtifactError(str(error)) from error


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def list_encoders(home: Path) -> list[EncoderManifest]:
    """Return the manifests of every encoder, newest last; broken folders are logged and left out."""
    found = _manifests(sorted((home / "encoders").glob("*+*")), EncoderManifest)
    return sorted(found, key=lambda m: m.created_at)


def list_datasets(home: Path) -> list[DatasetManifest]:
    """Return the manifests of every dataset version, newest last; broken ones are logged."""
    found = _manifests(sorted((home / "datasets").glob("*+*")), DatasetManifest)
    return sorted(found, key=lambda m: m.created_at)


def list_models(home: Path, classifier: str | None = None) -> list[ModelManifest]:
    """Return the manifests of model versions by classifier and number; broken ones are logged."""
    found = _manifests(sorted((home / "models").glob(f"{classifier or '*'}/*+*")), ModelManifest)
    return sorted(found, key=lambda m: (m.classifier, m.number))


def find_encoder(home: Path, name_or_id: str) -> EncoderManifest:
    """Return the encoder of that id, or the newest of that name; raises ArtifactError."""
    if "+" in name_or_id:
        return load_manifest(encoder_path(home, name_or_id), EncoderManifest)
    return _newest(list_encoders(home), "encoder", name_or_id)


def find_dataset(home: Path, name_or_id: str) -> DatasetManifest:
    """Return the dataset version of that id, or the newest of that name; raises ArtifactError."""
    if "+" in name_or_id:
        return load_manifest(dataset_path(home, name_or_id), DatasetManifest)
    return _newest(list_datasets(home), "dataset", name_or_id)


def find_model(home: Path, classifier: str, content: str) -> ModelManifest | None:
    """Return the version of `classifier` whose digest is `content`, or None."""
    return next((m for m in list_models(home, classifier) if m.digest == content), None)


def save(home: Path, manifest: M, files: Mapping[str, bytes | Path]) -> M:
    """Save an artifact and return its manifest, with digest and files filled in.

    An artifact of the same content that is there already stays as it is.
    """
    with _draft(home / manifest.folder.split("/", maxsplit=1)[0]) as draft:
        manifest = _fill(draft, manifest, files)
        _publish(draft, home / manifest.folder, manifest)
    return manifest


def save_model(
    home: Path, manifest: ModelManifest, files: Mapping[str, bytes | Path]
) -> tuple[ModelManifest, bool]:
    """Save a model version under the classifier's next number.

    Returns the manifest and whether it is new: a version of the same content is returned as it is.
    """
    if not re.fullmatch(_NAME, manifest.classifier):
        raise ArtifactError(f"{manifest.classifier!r} is no classifier's name; expected {_NAME}")
    shelf = home / "models" / manifest.classifier
    with _draft(shelf) as draft:
        manifest = _fill(draft, manifest, files)
        with _locked(shelf):  # two writers never take one number
            if existing := find_model(home, manifest.classifier, manifest.digest):
                return existing, False
            taken = [int(p.name.split("+")[0]) for p in shelf.glob("[0-9]*+*")]
            manifest = msgspec.structs.replace(manifest, number=max(taken, default=0) + 1)
            _publish(draft, home / manifest.folder, manifest)
    return manifest, True


def install(assets: Path, home: Path) -> list[str]:
    """Put the artifacts of `assets` into `home` by hard links, or copies across file systems.

    Returns the folders added. What is there stays; models are added only for a classifier that has
    none, because their numbers may be taken. Raises ArtifactError where an asset is broken.
    """
    added = []
    manifests: list[Manifest] = [*list_encoders(assets), *list_datasets(assets)]
    manifests += [m for m in list_models(assets) if not list_models(home, m.classifier)]
    for manifest in manifests:
        source, target = assets / manifest.folder, home / manifest.folder
        if target.exists():
            continue
        check_files(source, manifest)
        with _draft(target.parent) as draft:
            for name in manifest.files:
                _link(source / name, draft / name)
            _publish(draft, target, manifest)
        added.append(manifest.folder)
    for stored in sorted(assets.glob("embeddings/*/*.safetensors")):  # see ml.embedding_store
        target = home / stored.relative_to(assets)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(stored, target)
            sealing.seal_file(target)
    return added


def write_tensors(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return tensors as safetensors bytes; raises ArtifactError on NaN or infinity."""
    for name, tensor in tensors.items():
        _check_finite(name, tensor)
    return safetensors_bytes({name: np.ascontiguousarray(t) for name, t in tensors.items()})


def read_tensors(file: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file; raises ArtifactError on junk, huge shapes, NaN or infinity."""
    tensors = {}
    try:
        if is_file_sealed(file):
            return _finite(file, safetensors_from(read_file(file)))
        with safe_open(file, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - the handle is no mapping
                shape = opened.get_slice(name).get_shape()
                if int(np.prod(shape, dtype=object)) > MAX_ELEMENTS:
                    raise ArtifactError(f"{file}: {name} has shape {shape}, over {MAX_ELEMENTS}")
                tensors[name] = opened.get_tensor(name)
                _check_finite(f"{file}: {name}", tensors[name])
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{file}: not a safetensors file ({error})") from error
    return tensors


def _finite(file: Path, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for name, tensor in tensors.items():
        _check_finite(f"{file}: {name}", tensor)
    return tensors


def _check_finite(name: str, tensor: np.ndarray) -> None:
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise ArtifactError(f"{name} holds NaN or infinity")


def _manifests(folders: Sequence[Path], kind: type[M]) -> list[M]:
    found = []
    for folder in folders:
        try:
            found.append(load_manifest(folder, kind))
        except ArtifactError as error:
            log.warning("left out: %s", error)
    return found


def _newest(found: Sequence[M], kind: str, name: str) -> M:
    named = [m for m in found if getattr(m, "name", None) == name]
    if not named:
        known = ", ".join(sorted({str(getattr(m, "name", "")) for m in found})) or "none"
        raise ArtifactError(f"there is no {kind} {name!r}; known: {known}")
    return named[-1]


@contextlib.contextmanager
def _draft(shelf: Path) -> Iterator[Path]:
    """Make a temporary folder beside the artifacts; what is left of it afterwards is removed."""
    shelf.mkdir(parents=True, exist_ok=True)
    for stale in shelf.glob(".draft-*"):
        with contextlib.suppress(FileNotFoundError):  # another writer removed it
            if time.time() - stale.stat().st_mtime > DRAFT_LIFE_S:
                shutil.rmtree(stale, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=shelf))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(draft: Path, manifest: M, files: Mapping[str, bytes | Path]) -> M:
    """Write the files into the draft; return the manifest that names them."""
    hashes = {}
    for name, content in sorted(files.items()):
        check_file_name(name)
        target = draft / name
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)
        hashes[name] = File(sha256_of(target), target.stat().st_size)
    filled = msgspec.structs.replace(manifest, files=hashes)
    return msgspec.structs.replace(filled, digest=digest(filled))


def _publish(draft: Path, target: Path, manifest: Manifest) -> None:
    """Make the draft the artifact: everything on the disk first, then one rename."""
    (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    for name in manifest.files:
        sealing.seal_file(draft / name)
    for file in draft.iterdir():
        file.chmod(0o444)  # immutable, and shared by hard links
        _flush(file)
    draft.chmod(0o755)
    _flush(draft)
    try:
        draft.rename(target)
    except OSError:
        if not (target / MANIFEST).exists():  # else the same content is there already
            raise
    _flush(target.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _locked(shelf: Path) -> Iterator[None]:
    with (shelf / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
