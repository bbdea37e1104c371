"""Quantization-aware training: the encoder learns under the rounding that int8 will bring.

Weights and inputs of every dense layer are rounded to 8 bits in the forward pass, and gradients
pass as if they were not (the straight-through estimator, Bengio et al., 2013, arXiv:1308.3432). The
trained weights stay float32; post-training quantization makes them int8 afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from ml.encoder import Encoder

LEVELS = 127.0  # of a signed byte, either side of 0
STEPS = 255.0  # of an unsigned byte
LEAST = 1e-8  # a range of nothing would divide by 0


def rounded_weights(kernel: Any) -> Any:
    """Return a kernel `(I, O)` rounded to int8 with a scale for every output, symmetric about 0."""
    scale = ops.maximum(ops.max(ops.abs(kernel), axis=0, keepdims=True), LEAST) / LEVELS
    return _straight_through(kernel, ops.round(kernel / scale) * scale)


def rounded_inputs(x: Any) -> Any:
    """Return activations rounded to 8 bits over the range that they have in this batch."""
    low = ops.minimum(ops.min(x), 0.0)
    step = ops.maximum(ops.max(x) - low, LEAST) / STEPS
    return _straight_through(x, ops.round((x - low) / step) * step + low)


def _straight_through(exact: Any, rounded: Any) -> Any:
    return exact + ops.stop_gradient(rounded - exact)


def simulate(encoder: Encoder) -> None:
    """Let the dense layers of every block round, from now on; its weights keep their names."""
    for block in encoder.blocks:
        attention = block.attention
        for owner, name in (
            (attention, "query"),
            (attention, "key"),
            (attention, "value"),
            (attention, "output_dense"),
            (block, "expand"),
            (block, "contract"),
        ):
            # A plain function: Keras keeps the layer itself, so its weights are trained and named
            # as before.
            setattr(owner, name, _rounding(getattr(owner, name)))


def _rounding(dense: Any) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        dtype = x.dtype
        kernel = rounded_weights(ops.cast(dense.kernel, "float32"))
        inputs = rounded_inputs(ops.cast(x, "float32"))
        product = ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))
        return product + ops.cast(dense.bias, dtype)

    return call
