"""Whether probabilities come true, on claims that one can count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.evaluation_calibration import ece, reliability
from ml.evaluation_report import Bin


def about(value: float) -> Any:
    return pytest.approx(value)


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_sure_and_right_is_perfectly_calibrated() -> None:
    assert ece(column(1.0, 1.0), column(True, True)) == 0.0


def test_claims_of_one_bin_may_make_up_for_each_other() -> None:
    assert ece(column(0.5, 0.5), column(True, False)) == 0.0


def test_sure_and_wrong_is_as_bad_as_it_gets() -> None:
    assert ece(column(1.0, 1.0), column(False, False)) == 1.0


def test_every_label_of_a_multi_label_head_is_a_claim() -> None:
    claims = np.array([[0.9, 0.1], [0.9, 0.3]])
    held = np.array([[True, False], [False, False]])
    # 0.9 twice, one true: 2 x 0.4; 0.1 and 0.3 in bins of their own.
    assert ece(claims, held) == pytest.approx((0.8 + 0.1 + 0.3) / 4)


def test_the_plot_has_the_bins_that_hold_claims() -> None:
    assert reliability(column(0.62, 0.65, 1.0), column(True, False, True)) == [
        Bin(9 / 15, 10 / 15, 2, about(0.635), 0.5),
        Bin(14 / 15, 1.0, 1, 1.0, 1.0),
    ]
