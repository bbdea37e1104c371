"""Training on several devices does what training on one does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import ROOT


def test_two_devices_train_as_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.ml.replicas", str(tmp_path)],
        capture_output=True,
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    one, two = json.loads(done.stdout.splitlines()[-1])
    assert one[-1] < one[0] / 10
    assert two == pytest.approx(one, rel=0.02, abs=1e-4)  # sums in another order
