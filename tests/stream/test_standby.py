"""Which encoder stands in for another, and after how long."""

from __future__ import annotations

from pathlib import Path

from infra.settings import Settings
from stream.standby import after_s, find_twin
from tests.stream.standing_in import save_encoder

ENCODER = "letters+0000"


def test_a_standby_is_off_without_a_gpu_and_on_beside_one(tmp_path: Path) -> None:
    gpu = tmp_path / "nvidiactl"
    assert after_s(Settings(), gpu) is None
    gpu.touch()
    assert after_s(Settings(), gpu) == 10.0


def test_a_standby_that_is_set_is_the_same_everywhere(tmp_path: Path) -> None:
    gpu = tmp_path / "nvidiactl"
    assert after_s(Settings(standby_after_s=2.5), gpu) == 2.5
    gpu.touch()
    assert after_s(Settings(standby_after_s=0.0), gpu) is None


def test_the_twin_is_the_newest_int8_encoder_made_of_this_one(tmp_path: Path) -> None:
    assert find_twin(tmp_path, ENCODER) is None
    save_encoder(tmp_path, "other-int8", "int8", "other+0000", 1)
    save_encoder(tmp_path, "pruned", "f32", ENCODER, 2)
    older = save_encoder(tmp_path, "letters-int8", "int8", ENCODER, 3)
    assert find_twin(tmp_path, ENCODER) == older
    newer = save_encoder(tmp_path, "letters-int8", "int8", ENCODER, 4)
    assert find_twin(tmp_path, ENCODER) == newer
    assert find_twin(tmp_path, newer) is None
