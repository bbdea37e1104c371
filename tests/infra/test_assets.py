"""What `make setup` makes: checked by hash, repaired, and nothing fetched where all is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.assets import artifacts, jars
from infra.assets.display import AssetError, Display
from infra.settings import ROOT
from ml.artifact import find_encoder, install, list_encoders, list_models


def test_kafka_is_forty_five_jars_and_nothing_else(assets: Path) -> None:
    found = sorted(path.name for path in (assets / "kafka").iterdir())

    assert found == sorted(jar.file for jar in jars.listed())
    assert len(found) == 46


def test_where_all_is_there_nothing_is_fetched(assets: Path) -> None:
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "HTTPS_PROXY": "http://127.0.0.1:9/"}

    done = subprocess.run(
        [sys.executable, "-m", "infra.assets"],
        env={**os.environ, **unreachable, "WIREROOM_ASSETS": str(assets)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Apache Kafka 4.3.1: 46 jars" in done.stdout.splitlines()


def test_a_file_of_another_hash_is_not_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.jar"
    file.write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    assert jars.is_whole(file, 3, sha256)
    assert not jars.is_whole(file, 4, sha256)
    assert not jars.is_whole(file, 3, sha256.replace("b", "c"))
    assert not jars.is_whole(tmp_path / "b.jar", 3, sha256)


def test_a_broken_encoder_goes_and_its_model_with_it(assets: Path, tmp_path: Path) -> None:
    install(assets, tmp_path)
    tokenizer = tmp_path / find_encoder(tmp_path, "minilm-l6").folder / "tokenizer.json"
    tokenizer.unlink()  # a hard link: the assets keep theirs
    tokenizer.write_text("{}")

    with Display() as display:
        artifacts.remove_broken(tmp_path, display)

    assert "minilm-l6" not in [encoder.name for encoder in list_encoders(tmp_path)]
    assert list_models(tmp_path) == []


def test_a_job_that_fails_says_why(tmp_path: Path) -> None:
    specification = {"job": "train", "dataset": "r8"}

    with Display() as display, pytest.raises(AssetError, match="there is no dataset 'r8'"):
        artifacts.run_job("training", specification, tmp_path, display)
