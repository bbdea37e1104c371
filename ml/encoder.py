"""The Transformer, in one file: token ids in, one unit vector an article out.

One config-driven model serves every preset. It is written with `keras.ops` alone, so the same
code runs under TensorFlow and under `KERAS_BACKEND=jax`. The architecture is the post-norm
encoder of BERT (Devlin et al., 2019, arXiv:1810.04805) with mean pooling over the real tokens
(Reimers and Gurevych, 2019, arXiv:1908.10084).
"""

from __future__ import annotations

from typing import Any

import keras
import msgspec
import numpy as np
from keras import ops


class EncoderConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The shape of an encoder; everything that decides which weights fit.

    `table_block` 0: the token table is float32. Else it is int8, and so many neighbouring columns
    of a row share one float16 scale.
    """

    vocabulary: int
    length: int  # positions, in tokens, special tokens included
    width: int  # D
    heads: int  # H
    layers: int
    feed_forward: int
    epsilon: float
    table_block: int = 0


PRESETS = {
    "seed": EncoderConfig(
        vocabulary=10_000,
        length=512,
        width=128,
        heads=4,
        layers=2,
        feed_forward=512,
        epsilon=1e-12,
    ),
    "minilm-l6": EncoderConfig(
        vocabulary=30_522,
        length=512,
        width=384,
        heads=12,
        layers=6,
        feed_forward=1_536,
        epsilon=1e-12,
    ),
    "e5-small": EncoderConfig(
        vocabulary=250_037,
        length=512,
        width=384,
        heads=12,
        layers=12,
        feed_forward=1_536,
        epsilon=1e-12,
        table_block=32,
    ),
}


class BlockTable(keras.layers.Layer):  # type: ignore[misc]  # Keras publishes no types
    """A token table of small integers with a scale for every block of columns.

    Rows are looked up first and multiplied out after, so the table takes a byte a number in
    memory: 102 MB where float32 takes 384 MB. It is for lookup, not for training.
    """

    def __init__(self, config: EncoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows, self.width = config.vocabulary, config.width
        self.blocks = config.width // config.table_block

    def build(self, _: Any) -> None:
        self.quants = self._table(self.width, "int8", "quants")
        self.scales = self._table(self.blocks, "float16", "scales")

    def _table(self, columns: int, dtype: str, name: str) -> Any:
        shape = (self.rows, columns)
        return self.add_weight(
            shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
        )

    def call(self, ids: Any) -> Any:
        batch, length = ops.shape(ids)[0], ops.shape(ids)[1]
        quants = ops.cast(ops.take(self.quants, ids, axis=0), self.compute_dtype)  # (B, T, D)
        scales = ops.cast(ops.take(self.scales, ids, axis=0), self.compute_dtype)  # (B, T, D/32)
        blocks = ops.reshape(quants, (batch, length, self.blocks, self.width // self.blocks))
        return ops.reshape(blocks * scales[..., None], (batch, length, self.width))


class LayerNorm(keras.layers.Layer):  # type: ignore[misc]  # Keras publishes no types
    """Layer normalisation (Ba et al., 2016, arXiv:1607.06450) over the last axis.

    Written out, and with the axis as a tuple, it is the shape of graph that OpenVINO computes in
    one pass over memory; Keras' own layer stays a dozen operations there.
    """

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, shape: Any) -> None:
        width = (shape[-1],)
        # Not cast down with mixed precision: a mean of bfloat16 numbers has three digits.
        self.gamma = self.add_weight(shape=width, initializer="ones", autocast=False, name="gamma")
        self.beta = self.add_weight(shape=width, initializer="zeros", autocast=False, name="beta")

    def call(self, x: Any) -> Any:
        x = ops.cast(x, "float32")
        centred = x - ops.mean(x, axis=(-1,), keepdims=True)  # (B, T, D)
        variance = ops.mean(ops.square(centred), axis=(-1,), keepdims=True)  # (B, T, 1)
        normed = centred / ops.sqrt(variance + self.epsilon)
        return ops.cast(normed * self.gamma + self.beta, self.compute_dtype)


def gelu(x: Any) -> Any:
    """Return the Gaussian error linear unit (arXiv:1606.08415), not its tanh approximation."""
    return 0.5 * x * (1.0 + ops.erf(x / 2**0.5))


class SelfAttention(keras.layers.Layer):  # type: ignore[misc]  # Keras publishes no types
    """Scaled dot-product attention of every token to the real tokens of its own article."""

    def __init__(self, config: EncoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = config.heads
        self.size = config.width // config.heads
        self.query = keras.layers.Dense(config.width, name="query")
        self.key = keras.layers.Dense(config.width, name="key")
        self.value = keras.layers.Dense(config.width, name="value")
        self.output_dense = keras.layers.Dense(config.width, name="output")

    def call(self, x: Any, bias: Any) -> Any:
        batch, length = ops.shape(x)[0], ops.shape(x)[1]

        def split(y: Any) -> Any:  # (B, T, D) -> (B, H, T, D/H)
            y = ops.reshape(y, (batch, length, self.heads, self.size))
            return ops.transpose(y, (0, 2, 1, 3))

        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # (B, H, T, T)
        weights = ops.softmax(scores * self.size**-0.5 + bias, axis=-1)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))  # (B, T, H, D/H)
        return self.output_dense(ops.reshape(mixed, (batch, length, self.heads * self.size)))


class Block(keras.layers.Layer):  # type: ignore[misc]  # Keras publishes no types
    """Attention, then a feed-forward network, each added to its input and normalised."""

    def __init__(self, config: EncoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = SelfAttention(config, name="attention")
        self.attention_norm = LayerNorm(config.epsilon, name="attention_norm")
        self.expand = keras.layers.Dense(config.feed_forward, name="expand")
        self.contract = keras.layers.Dense(config.width, name="contract")
        self.output_norm = LayerNorm(config.epsilon, name="output_norm")

    def call(self, x: Any, bias: Any) -> Any:
        x = self.attention_norm(x + self.attention(x, bias))  # (B, T, D)
        hidden = gelu(self.expand(x))  # (B, T, F)
        return self.output_norm(x + self.contract(hidden))  # (B, T, D)


class Encoder(keras.Model):  # type: ignore[misc]  # Keras publishes no types
    """Token ids to embeddings.

    Call with `ids` and `mask`, both int32 `(B, T)`; `mask` is 1 on real tokens and 0 on padding.
    Returns float32 `(B, D)`, each row of length 1; `T` may be anything up to `config.length`.
    """

    def __init__(self, config: EncoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.tokens = (
            BlockTable(config, name="tokens")
            if config.table_block
            else keras.layers.Embedding(config.vocabulary, config.width, name="tokens")
        )
        self.positions = keras.layers.Embedding(config.length, config.width, name="positions")
        self.embedding_norm = LayerNorm(config.epsilon, name="embedding_norm")
        self.blocks = [Block(config, name=f"block_{n}") for n in range(config.layers)]

    def states(self, ids: Any, mask: Any) -> Any:
        """Return the last hidden state of every token, `(B, T, D)`."""
        positions = ops.arange(ops.shape(ids)[1], dtype="int32")
        x = self.tokens(ids) + self.positions(positions)  # (B, T, D)
        x = self.embedding_norm(x)
        real = ops.cast(mask, x.dtype)
        # Large enough that a masked token weighs exactly 0 after the softmax, in bfloat16 too.
        bias = (1.0 - real[:, None, None, :]) * -1e9  # (B, 1, 1, T)
        for block in self.blocks:
            x = block(x, bias)
        return x

    def call(self, ids: Any, mask: Any) -> Any:
        x = self.states(ids, mask)
        real = ops.cast(mask, x.dtype)[:, :, None]  # (B, T, 1)
        pooled = ops.sum(x * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)  # (B, D)
        pooled = ops.cast(pooled, "float32")
        norm = ops.sqrt(ops.sum(ops.square(pooled), axis=-1, keepdims=True))
        return pooled / ops.maximum(norm, 1e-12)


def build(config: EncoderConfig, weights: dict[str, np.ndarray] | None = None) -> Encoder:
    """Return an encoder with its variables made; random ones (Keras' seed) without `weights`.

    Raises ValueError naming the first weight that is missing, left over or of another shape.
    """
    encoder = Encoder(config)
    one = np.ones((1, 2), "int32")
    encoder(one, one)
    if weights is not None:
        assign(encoder, weights)
    return encoder


def weights_of(encoder: Encoder) -> dict[str, np.ndarray]:
    """Return every weight by its path inside the model, e.g. `block_0/attention/query/kernel`."""
    return {_name(v): np.asarray(ops.convert_to_numpy(v)) for v in encoder.weights}


def assign(encoder: Encoder, weights: dict[str, np.ndarray]) -> None:
    """Set every weight of `encoder`; raises ValueError where names or shapes do not match."""
    variables = {_name(v): v for v in encoder.weights}
    if missing := sorted(variables.keys() - weights.keys()):
        raise ValueError(f"weights lack {len(missing)} of {len(variables)}, first {missing[0]!r}")
    if extra := sorted(weights.keys() - variables.keys()):
        raise ValueError(f"weights hold {len(extra)} unknown names, first {extra[0]!r}")
    for name, variable in variables.items():
        expected, got = tuple(variable.shape), weights[name].shape
        if expected != got:
            raise ValueError(f"weight {name!r}: expected shape {expected}, got {got}")
        if (str(variable.dtype) == "int8") != (weights[name].dtype == np.int8):
            raise ValueError(
                f"weight {name!r}: expected {variable.dtype}, got {weights[name].dtype}"
            )
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"weight {name!r} holds NaN or infinity")
        variable.assign(weights[name])


def from_bert(tensors: dict[str, np.ndarray], config: EncoderConfig) -> dict[str, np.ndarray]:
    """Rename the tensors of a Hugging Face BERT checkpoint to ours; dense kernels transpose.

    The first row of its token-type table is added to every token, so it is folded into the
    positions. A token table in blocks comes as `word_embeddings.quants` and `.scales`.
    """
    embeddings = "embeddings."
    table = (
        {"quants": "quants", "scales": "scales"} if config.table_block else {"embeddings": "weight"}
    )
    weights = {
        f"tokens/{ours}": tensors[f"{embeddings}word_embeddings.{theirs}"]
        for ours, theirs in table.items()
    }
    weights |= {
        "positions/embeddings": tensors[embeddings + "position_embeddings.weight"]
        + tensors[embeddings + "token_type_embeddings.weight"][0],
        "embedding_norm/gamma": tensors[embeddings + "LayerNorm.weight"],
        "embedding_norm/beta": tensors[embeddings + "LayerNorm.bias"],
    }
    dense = {
        "attention/query": "attention.self.query",
        "attention/key": "attention.self.key",
        "attention/value": "attention.self.value",
        "attention/output": "attention.output.dense",
        "expand": "intermediate.dense",
        "contract": "output.dense",
    }
    norms = {"attention_norm": "attention.output.LayerNorm", "output_norm": "output.LayerNorm"}
    for n in range(config.layers):
        ours, theirs = f"block_{n}/", f"encoder.layer.{n}."
        for name, source in dense.items():
            weights[f"{ours}{name}/kernel"] = tensors[f"{theirs}{source}.weight"].T
            weights[f"{ours}{name}/bias"] = tensors[f"{theirs}{source}.bias"]
        for name, source in norms.items():
            weights[f"{ours}{name}/gamma"] = tensors[f"{theirs}{source}.weight"]
            weights[f"{ours}{name}/beta"] = tensors[f"{theirs}{source}.bias"]
    return weights


def _name(variable: Any) -> str:
    """Drop the model's own name from a variable's path."""
    return str(variable.path).split("/", 1)[1]
