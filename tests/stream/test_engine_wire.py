"""What the router reads of a request without reading its texts."""

from __future__ import annotations

import msgspec
import pytest

from stream.engine_wire import LENGTH_BYTES, Describe, Embed, addressee, frame


def test_a_request_tells_its_encoder_and_how_many_texts_it_holds() -> None:
    for count in (0, 1, 15, 16, 65_535, 65_536):
        request = bytearray(frame(Embed("minilm-l6+17e1", ["oil"] * count)))
        assert addressee(request) == ("minilm-l6+17e1", count)
    assert addressee(bytearray(frame(Describe("e5-small+0000")))) == ("e5-small+0000", 0)


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
