"""Calibration of claims whose truth is counted by hand."""

from __future__ import annotations

import math

import numpy as np

from ml.calibration import choose_isotonic, fit_isotonic, fit_temperature


def test_logits_that_are_twice_too_sure_get_temperature_two() -> None:
    # Claimed odds are 9 to 1; three of four come true, odds of 3 to 1.
    logits = np.array([[2 * math.log(3), 0.0]] * 4)
    assert math.isclose(fit_temperature(logits, np.array([0, 0, 0, 1])), 2.0, abs_tol=1e-3)


def test_each_label_of_several_is_a_claim_of_its_own() -> None:
    logits = np.array([[2 * math.log(3), -2 * math.log(3)]] * 4)
    truth = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], bool)
    assert math.isclose(fit_temperature(logits, truth), 2.0, abs_tol=1e-3)


def test_isotonic_knots_are_the_shares_that_came_true() -> None:
    claims = np.array([0.2, 0.2, 0.6, 0.6, 0.9, 0.9])
    held = np.array([0, 0, 1, 0, 1, 1], bool)
    assert fit_isotonic(claims, held) == [[0.2, 0.6, 0.9], [0.0, 0.5, 1.0]]


def test_claims_that_break_the_order_are_pooled() -> None:
    claims = np.array([0.2, 0.4, 0.6, 0.8])
    held = np.array([0, 1, 0, 1], bool)
    assert fit_isotonic(claims, held) == [[0.2, 0.4, 0.6, 0.8], [0.0, 0.5, 0.5, 1.0]]


def test_isotonic_is_left_out_where_the_temperature_does_as_well() -> None:
    logits = np.array([[math.log(3), 0.0]] * 400)
    truth = np.array([0, 0, 1, 0] * 100)
    assert choose_isotonic(logits, truth, 1.0) == []


def test_isotonic_mends_what_no_temperature_can() -> None:
    # Claims of 0.6 always come true, claims of 0.9 half the time.
    sure, unsure = [math.log(9), 0.0], [math.log(1.5), 0.0]
    logits = np.array([sure, unsure, sure, unsure] * 50)
    truth = np.array([0, 0, 1, 0] * 50)
    knots = choose_isotonic(logits, truth, 1.0)
    np.testing.assert_allclose(knots, [[0.6, 0.9], [0.75, 0.75]], atol=1e-6)
