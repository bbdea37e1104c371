"""A training that was killed ends as one that was not; checkpoints survive what disks do."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infra.settings import ROOT
from ml.checkpoints import Checkpoints, Position, TrainingRuns

KILLS = 2
STEPS = 40  # of the victim: 4 epochs of 80 articles in batches of 8


def victim(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ml.training_victim", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )


def test_a_training_killed_at_random_steps_ends_with_the_same_bits(tmp_path: Path) -> None:
    with victim(tmp_path / "unbroken") as unbroken:
        assert unbroken.stdout is not None
        expected = [line for line in unbroken.stdout if line.startswith("end")]
    assert f" {STEPS} " in expected[0]

    draw = random.Random(5)
    for _ in range(KILLS):
        with victim(tmp_path / "killed") as killed:
            assert killed.stdout is not None
            for _ in range(draw.randint(1, STEPS // KILLS - 2)):
                assert killed.stdout.readline().startswith("step")
            killed.kill()
    with victim(tmp_path / "killed") as last:
        assert last.stdout is not None
        lines = list(last.stdout)

    assert lines[-1:] == expected
    assert int(lines[0].split()[1]) > KILLS  # it went on, it did not begin anew


def test_the_newest_whole_checkpoint_is_loaded(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "work") as checkpoints:
        assert checkpoints.load() is None
        for step in (1, 2, 3):
            checkpoints.save(Position(step=step), {"w": np.full(4, step, np.float32)})
        files = sorted(checkpoints.folder.glob("*.safetensors"))
        assert [file.name for file in files] == ["000000002.safetensors", "000000003.safetensors"]
        content = bytearray(files[1].read_bytes())
        content[-1] ^= 1
        files[1].write_bytes(content)
        found = checkpoints.load()

    assert found is not None
    position, tensors = found
    assert position == Position(step=2)
    assert tensors["w"].tolist() == [2.0, 2.0, 2.0, 2.0]


def test_a_truncated_checkpoint_is_passed_over(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "work") as checkpoints:
        checkpoints.save(Position(step=7), {"w": np.ones(4, np.float32)})
        file = checkpoints.folder / "000000007.safetensors"
        file.write_bytes(file.read_bytes()[:-3])
        assert checkpoints.load() is None


def test_one_training_is_not_run_twice_at_once(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "work"):
        with pytest.raises(TrainingRuns, match="already running"):
            Checkpoints(tmp_path, "work").__enter__()
        with Checkpoints(tmp_path, "other work"):
            pass


def test_removed_checkpoints_leave_nothing(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "work") as checkpoints:
        checkpoints.save(Position(step=7), {"w": np.ones(4, np.float32)})
        checkpoints.remove()
    assert list((tmp_path / "checkpoints").iterdir()) == []
