"""Heads that do not give away what was in their training data, by DP-SGD.

DP-SGD (Abadi et al., 2016): every step takes each article with the same probability, clips what
each one contributes, and adds noise to the sum. What the whole training reveals of any one article
is bounded by epsilon and delta, which dp-accounting computes (privacy loss distributions).
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from dp_accounting import dp_event
from dp_accounting.pld import pld_privacy_accountant
from threadpoolctl import threadpool_limits

from ml.probabilities import softmax
from ml.training import Fit, Progress, TrainingError

STEPS = 200
SAMPLED = 0.2  # share of the articles in a step
CLIP = 0.5  # most that one article's gradient may weigh
RATE = 4.0
MOMENTUM = 0.9
"""These were chosen once, on the validation split of Reuters R8: choosing them by private articles
would cost epsilon too."""

DELTA = 1e-5
NOISES = (0.3, 200.0)  # multipliers between which the one that gives epsilon is searched
SEARCHES = 12  # halvings, which leave 0.2 % of the noise


@lru_cache
def epsilon_of(noise: float, delta: float) -> float:
    """Return epsilon of a whole training with this noise multiplier; articles added or removed."""
    accountant = pld_privacy_accountant.PLDAccountant()
    step = dp_event.PoissonSampledDpEvent(SAMPLED, dp_event.GaussianDpEvent(noise))
    accountant.compose(step, STEPS)
    return float(accountant.get_epsilon(delta))


@lru_cache
def noise_for(epsilon: float, delta: float) -> float:
    """Return the least noise multiplier whose training stays within epsilon.

    Raises TrainingError where that is none that leaves anything to learn from.
    """
    if not (epsilon > 0 and 0 < delta < 1):
        raise TrainingError(f"epsilon must be over 0 and delta in 0 to 1, got {epsilon}, {delta}")
    low, high = (math.log(bound) for bound in NOISES)
    if epsilon_of(NOISES[1], delta) > epsilon:
        raise TrainingError(f"epsilon {epsilon} is too small: nothing could be learned within it")
    if epsilon_of(NOISES[0], delta) <= epsilon:
        return NOISES[0]
    for _ in range(SEARCHES):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if epsilon_of(math.exp(middle), delta) <= epsilon else (middle, high)
        )
    return math.exp(high)


def fit_private(
    embeddings: np.ndarray,
    labels: Sequence[str],
    splits: Sequence[str],
    epsilon: float,
    delta: float = DELTA,
    *,
    generator: np.random.Generator | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Fit a head on embeddings `(N, D)`, unit vectors, within epsilon; rows of `test` are not used.

    The label set counts as known to everybody. `generator` is for tests: in use it is seeded from
    the system, because whoever can repeat the noise can take it off. So two runs give two heads.
    The temperature is left at 1, since fitting it would read the articles again. Raises
    TrainingError.
    """
    used = np.asarray(splits) != "test"
    label = np.asarray(labels)[used]
    known = sorted(set(label.tolist()))
    if len(known) < 2:
        raise TrainingError(
            f"a classifier needs two labels at least; the training articles have {known or 'none'}"
        )
    noise = noise_for(epsilon, delta)
    draw = generator or np.random.default_rng(secrets.randbits(128))
    vectors = embeddings[used].astype(np.float32)
    inputs = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)])  # (N, D + 1)
    lengths = np.linalg.norm(inputs, axis=1)
    target = np.eye(len(known), dtype=np.float32)[np.searchsorted(known, label)]
    table = np.zeros((inputs.shape[1], len(known)), np.float32)
    speed, mean, averaged = np.zeros_like(table), np.zeros_like(table), STEPS // 2
    with threadpool_limits(1):
        for step in range(STEPS):
            taken = draw.random(len(inputs)) < SAMPLED
            part = inputs[taken]
            error = softmax(part @ table) - target[taken]  # (B, L)
            error = clip(error, lengths[taken])
            noisy = part.T @ error + draw.normal(0, noise * CLIP, table.shape)
            speed = MOMENTUM * speed + (noisy / (SAMPLED * len(inputs))).astype(np.float32)
            table -= np.float32(RATE) * speed
            if step >= STEPS - averaged:
                mean += table / np.float32(averaged)  # noise averages out, what is learned stays
            if progress:
                progress(step + 1, STEPS)
    return Fit(
        labels=known,
        weights=mean[:-1],
        bias=mean[-1],
        temperature=1.0,
        strength=0.0,
        validation_accuracy=0.0,
        notes={
            "privacy": {
                "epsilon": round(epsilon_of(noise, delta), 4),
                "delta": delta,
                "noise": round(noise, 4),
                "clip": CLIP,
                "sampled": SAMPLED,
                "steps": STEPS,
                "articles": len(inputs),
                "unit": "one article added or removed",
            }
        },
    )


def clip(error: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return `error` `(B, L)` such that no article's gradient is longer than `CLIP`.

    An article's gradient is the outer product of its input, of length `lengths` `(B,)`, and error.
    """
    weighs = np.linalg.norm(error, axis=1) * lengths
    return np.asarray(error * np.minimum(1, CLIP / np.maximum(weighs, 1e-9))[:, None], error.dtype)
