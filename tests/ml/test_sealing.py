"""Sealed files and the ring of keys: what opens, what does not, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from ml import artifact, resealing, sealing
from ml.artifact import ArtifactError
from ml.datasets import ROWS_FILE, Row, load_dataset, save_dataset
from ml.embedder import Embedder
from ml.head import Head
from ml.sealing import OVERHEAD, KeyRing, SealError
from tests.ml.test_head import BIAS, MANIFEST, WEIGHTS

RING = KeyRing("", {}).with_new_key()
ROWS = [Row(f"urn:{n}", "Oil", "Prices rose.", ("crude",), "train") for n in range(3)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    sealing.save_ring(tmp_path, RING)
    return tmp_path


def _dataset(home: Path) -> Path:
    manifest = save_dataset(home, "wire", ROWS, "test", ["en"])
    return artifact.dataset_path(home, manifest.id)


def test_a_sealed_value_opens_under_its_key_and_its_name_alone() -> None:
    sealed = RING.seal(b"oil", "a")

    assert RING.open(sealed, "a") == b"oil"
    assert b"oil" not in sealed
    assert len(sealed) == 3 + OVERHEAD
    with pytest.raises(SealError, match="seal is broken"):
        RING.open(sealed, "b")
    with pytest.raises(SealError, match="does not hold"):
        KeyRing("", {}).with_new_key().open(sealed, "a")


@pytest.mark.parametrize("place", [0, 9, 20, 30, -1])
def test_one_changed_bit_is_seen(place: int) -> None:
    changed = bytearray(RING.seal(b"prices of oil", "a"))
    changed[place] ^= 1

    with pytest.raises(SealError):
        RING.open(bytes(changed), "a")


def test_equal_values_do_not_look_equal() -> None:
    assert RING.seal(b"oil", "a") != RING.seal(b"oil", "a")


def test_a_rotated_ring_opens_what_the_old_key_sealed() -> None:
    rotated = RING.with_new_key()

    assert rotated.open(RING.seal(b"oil", "a"), "a") == b"oil"
    assert sealing.key_of(rotated.seal(b"oil", "a")) == rotated.current != RING.current


def test_a_ring_that_others_may_read_is_refused(home: Path) -> None:
    (home / "keys.json").chmod(0o640)

    with pytest.raises(SealError, match="others may read it"):
        sealing.find_ring(home)


@pytest.mark.parametrize("content", ["{}", '{"current": "aa", "keys": {}}', "pickle"])
def test_a_file_that_is_no_ring_is_refused(home: Path, content: str) -> None:
    (home / "keys.json").write_text(content)

    with pytest.raises(SealError, match="not a key ring"):
        sealing.find_ring(home)


def test_a_ring_may_lie_elsewhere_behind_a_link(tmp_path: Path) -> None:
    elsewhere, home = tmp_path / "secure", tmp_path / "home"
    elsewhere.mkdir()
    home.mkdir()
    (home / "keys.json").symlink_to(elsewhere / "ring")

    sealing.save_ring(home, RING)

    assert sealing.find_ring(home) == RING
    assert (elsewhere / "ring").stat().st_mode & 0o777 == 0o600
    assert (home / "keys.json").is_symlink()


def test_a_dataset_is_sealed_on_the_disk_and_reads_as_before(home: Path, tmp_path: Path) -> None:
    folder = _dataset(home)
    plain_home = tmp_path / "plain" / "home"
    plain_home.mkdir(parents=True)
    plain = save_dataset(plain_home, "wire", ROWS, "test", ["en"])

    assert sealing.is_file_sealed(folder / ROWS_FILE)
    assert load_dataset(home, folder.name)[1] == ROWS
    assert folder.name == plain.id  # named by its content, whatever it is sealed under


def test_a_sealed_head_answers_as_the_plain_one(home: Path) -> None:
    content = artifact.write_tensors({"weights": WEIGHTS, "bias": BIAS})
    manifest, _ = artifact.save_model(home, MANIFEST, {"head.safetensors": content})
    embeddings = np.array([[1, 0], [0, 1]], np.float16)

    head = Head.load(artifact.model_path(home, manifest.name))

    expected = Head(MANIFEST, WEIGHTS, BIAS).scores(embeddings)
    np.testing.assert_array_equal(head.scores(embeddings), expected)


def test_a_sealed_encoder_gives_the_same_vectors(home: Path, assets: Path) -> None:
    encoder = artifact.find_encoder(assets, "minilm-l6")
    plain = Embedder(artifact.encoder_path(assets, encoder.id))
    files = {name: assets / encoder.folder / name for name in encoder.files}
    artifact.save(home, encoder, files)
    sealed = Embedder(artifact.encoder_path(home, encoder.id))

    assert {sealing.is_file_sealed(home / encoder.folder / name) for name in files} == {True}
    assert sealed.fingerprint == plain.fingerprint  # vectors that are cached stay valid
    np.testing.assert_array_equal(sealed.embed(["Oil"])[0], plain.embed(["Oil"])[0])


def test_a_changed_byte_of_a_sealed_file_is_refused(home: Path) -> None:
    folder = _dataset(home)
    content = bytearray((folder / ROWS_FILE).read_bytes())
    content[-20] ^= 1
    sealing.replace(folder / ROWS_FILE, bytes(content))

    with pytest.raises(ArtifactError, match=r"rows\.jsonl\.gz: its seal is broken"):
        load_dataset(home, folder.name)


def test_without_its_ring_a_sealed_file_is_refused_by_name(home: Path) -> None:
    folder = _dataset(home)
    (home / "keys.json").unlink()

    with pytest.raises(ArtifactError, match=f"sealed under key {RING.current}"):
        load_dataset(home, folder.name)


def test_rotation_seals_everything_anew_and_the_old_key_can_go(home: Path) -> None:
    folder = _dataset(home)
    before = msgspec.json.decode((folder / "manifest.json").read_bytes())
    rotated = RING.with_new_key()
    sealing.save_ring(home, rotated)

    with pytest.raises(SealError, match="files are sealed under"):
        resealing.drop(home, RING.current)
    changed = resealing.reseal(home)
    resealing.drop(home, RING.current)

    assert changed == sum(resealing.count(home).values())
    assert resealing.count(home) == {rotated.current: changed}
    assert load_dataset(home, folder.name)[1] == ROWS
    assert msgspec.json.decode((folder / "manifest.json").read_bytes()) == before
    assert resealing.reseal(home) == 0


def test_a_home_can_be_unsealed_again(home: Path) -> None:
    folder = _dataset(home)
    sealing.save_ring(home, KeyRing("", RING.keys))

    resealing.reseal(home)

    assert set(resealing.count(home)) == {resealing.PLAIN}
    assert load_dataset(home, folder.name)[1] == ROWS


def test_installed_artifacts_are_sealed_and_the_assets_stay_plain(
    home: Path, tmp_path: Path
) -> None:
    assets = tmp_path.parent / f"{tmp_path.name}-assets"
    manifest = save_dataset(assets, "wire", ROWS, "test", ["en"])

    artifact.install(assets, home)

    assert sealing.is_file_sealed(home / manifest.folder / ROWS_FILE)
    assert not sealing.is_file_sealed(assets / manifest.folder / ROWS_FILE)
    assert load_dataset(home, manifest.id)[1] == ROWS
