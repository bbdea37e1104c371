"""What the router reads of a request without reading its texts."""

from __future__ import annotations

import msgspec
import pytest

from stream.engine_wire import (
    LENGTH_BYTES,
    Addressee,
    Describe,
    Description,
    Embed,
    Vectors,
    addressee,
    describing_absent,
    frame,
    readdressed,
)


def test_a_request_tells_its_encoder_and_how_many_texts_it_holds() -> None:
    for count in (0, 1, 15, 16, 65_535, 65_536):
        request = bytearray(frame(Embed("minilm-l6+17e1", ["oil"] * count)))
        assert addressee(request) == Addressee("minilm-l6+17e1", count, standby=False)
    described = bytearray(frame(Describe("e5-small+0000", standby=True)))
    assert addressee(described) == Addressee("e5-small+0000", 0, standby=True)


def test_a_request_may_be_passed_on_to_another_encoder() -> None:
    request = bytearray(frame(Embed("minilm-l6+17e1", ["oil", "原油"], standby=True)))
    passed = readdressed(request, "minilm-l6-int8+0000")
    assert passed == frame(Embed("minilm-l6-int8+0000", ["oil", "原油"], standby=True))


def test_a_standby_that_describes_itself_says_whose_place_it_takes() -> None:
    twin = Description("minilm-l6-int8+0000", "f" * 32, 384, ["en"], "openvino", "bf16")
    told = frame(msgspec.structs.replace(twin, absent="a" * 32))
    assert describing_absent(frame(twin), "a" * 32) == told
    vectors = frame(Vectors("minilm-l6-int8+0000", b"\0\0", [False]))
    assert describing_absent(vectors, "a" * 32) == vectors


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"oil",
        msgspec.msgpack.encode({"type": "embed", "encoder": "a"}),
        msgspec.msgpack.encode({"type": "embed", "encoder": "a", "texts": "oil"}),
        msgspec.msgpack.encode({"type": "train", "encoder": "a", "texts": []}),
    ],
)
def test_a_frame_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        addressee(bytearray(LENGTH_BYTES) + body)
