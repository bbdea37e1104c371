"""What the machine computes fast in: bfloat16 where it has instructions for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from ml.runtimes import Precision

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset(("avx512_bf16", "amx_bf16"))
BFLOAT16_GPU = (8, 0)  # compute capability: NVIDIA's Ampere, the first with bfloat16


def bfloat16_pays(cpuinfo: Path = CPUINFO) -> bool:
    """Tell whether training in mixed bfloat16 is faster here: by the GPU, else by the CPU's flags.

    MiniLM's steps took 373 ms where float32 took 721 (2 cores with avx512_bf16, 16 x 128 tokens).
    """
    if gpus := tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        return tuple(details.get("compute_capability", (0, 0))) >= BFLOAT16_GPU
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(BFLOAT16_FLAGS & set(flags.split()))


@contextmanager
def computing_in(precision: Precision) -> Iterator[str]:
    """Let layers made meanwhile compute in `precision`, weights in float32; yields the policy."""
    mixed = precision == "bf16" or (precision == "auto" and bfloat16_pays())
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield "mixed_bfloat16" if mixed else "float32"
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def gpus() -> list[str]:
    """Return the names of this machine's GPUs."""
    return [f"GPU:{n}" for n in range(len(tf.config.list_physical_devices("GPU")))]


@contextmanager
def several(devices: Sequence[str]) -> Iterator[None]:
    """Let what is built meanwhile be trained on all `devices`, a shard of every batch on each."""
    if len(devices) < 2:
        yield
        return
    strategy = tf.distribute.MirroredStrategy(
        list(devices), cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        yield
