"""What the agents and the engine say to each other: length-prefixed msgpack over a socket.

A request holds texts, an answer holds float16 vectors. Both ends read this file and nothing else of
each other; the router in between passes whole frames on and reads of a request only for whom it is.
"""

from __future__ import annotations

import socket
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

LENGTH_BYTES = 4
MAX_FRAME = 512 * 1024 * 1024
"""Bytes of the largest frame: a batch of the largest texts; anything above is a broken peer."""


class Embed(msgspec.Struct, frozen=True, tag="embed"):
    """Encode texts with one encoder; with `standby` its int8 twin may do it while it is away."""

    encoder: str
    texts: list[str]
    standby: bool = False


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """Load an encoder, warm it up, and say what it is; `standby` as in Embed."""

    encoder: str
    standby: bool = False


class Vectors(msgspec.Struct, frozen=True, tag="vectors"):
    """float16 vectors of the texts, row after row, and which texts were cut.

    Rows in `poisonous` mean nothing: the engine dies on these texts and does not try them again.
    `encoder` is whose vectors they are: another than was asked for is its standby.
    """

    encoder: str
    vectors: bytes
    truncated: list[bool]
    poisonous: list[int] = []


class Description(msgspec.Struct, frozen=True, tag="description"):
    """`fingerprint` names everything that changes an embedding; `width` is D.

    Another `encoder` than was asked for is its standby, which describes itself; `absent` is then
    the fingerprint of the one that is away, as it last was here, empty where it never was.
    """

    encoder: str
    fingerprint: str
    width: int
    languages: list[str]
    runtime: str
    precision: str
    absent: str = ""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The engine cannot do this, however often it is asked: unknown or broken encoder."""

    reason: str


class _EmbedHeader(msgspec.Struct, frozen=True, tag="embed"):
    """Of an Embed what the router reads; the texts stay bytes."""

    encoder: str
    texts: msgspec.Raw
    standby: bool = False


class Addressee(NamedTuple):
    """For which encoder a request is, how many texts it holds, and whether its twin will do."""

    encoder: str
    texts: int
    standby: bool


Request = Embed | Describe
Answer = Vectors | Description | Refusal
_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_headers: msgspec.msgpack.Decoder[_EmbedHeader | Describe] = msgspec.msgpack.Decoder(
    _EmbedHeader | Describe
)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def frame(message: Request | Answer) -> bytes:
    """Return a message as it goes over the socket, its length included."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def send(connection: socket.socket, message: Request | Answer) -> None:
    """Write one message; raises OSError."""
    connection.sendall(frame(message))


def receive_request(connection: socket.socket) -> Request | None:
    """Read one request, None where the peer has gone; raises OSError, msgspec.DecodeError."""
    received = receive_frame(connection)
    return None if received is None else _requests.decode(memoryview(received)[LENGTH_BYTES:])


def receive_answer(connection: socket.socket) -> Answer | None:
    """Read one answer, None where the engine has gone; raises OSError, msgspec.DecodeError."""
    received = receive_frame(connection)
    return None if received is None else _answers.decode(memoryview(received)[LENGTH_BYTES:])


def receive_frame(connection: socket.socket) -> bytearray | None:
    """Read one message as `frame` makes it, None where the peer has gone.

    Raises OSError, msgspec.DecodeError where it is too long.
    """
    head = bytearray(LENGTH_BYTES)
    if not _fill(connection, memoryview(head)):
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME:
        raise msgspec.DecodeError(f"a frame of {length} bytes; the limit is {MAX_FRAME}")
    received = bytearray(LENGTH_BYTES + length)
    received[:LENGTH_BYTES] = head
    return received if _fill(connection, memoryview(received)[LENGTH_BYTES:]) else None


def _fill(connection: socket.socket, view: memoryview) -> bool:
    while view:
        got = connection.recv_into(view)
        if got == 0:
            return False
        view = view[got:]
    return True


def addressee(request: bytearray) -> Addressee:
    """Return whom a request's frame is for; its texts are not decoded. Raises msgspec.DecodeError."""
    header = _headers.decode(memoryview(request)[LENGTH_BYTES:])
    count = 0
    if isinstance(header, _EmbedHeader):
        count = _array_length(bytes(memoryview(header.texts)[:5]))
    return Addressee(header.encoder, count, header.standby)


def readdressed(request: bytearray, encoder: str) -> bytes:
    """Return a request's frame for another encoder; raises msgspec.DecodeError."""
    header = _headers.decode(memoryview(request)[LENGTH_BYTES:])
    body = _encoder.encode(msgspec.structs.replace(header, encoder=encoder))
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def describing_absent(answer: bytes | bytearray, fingerprint: str) -> bytes | bytearray:
    """Return a standby's answer, which says of whom it takes the place where it describes itself."""
    decoded = _answers.decode(memoryview(answer)[LENGTH_BYTES:])
    if not isinstance(decoded, Description):
        return answer
    return frame(msgspec.structs.replace(decoded, absent=fingerprint))


def _array_length(start: bytes) -> int:
    """Read the length of a msgpack array (https://github.com/msgpack/msgpack/blob/master/spec.md)."""
    if start[0] & 0xF0 == 0x90:
        return start[0] & 0x0F
    if start[0] in (0xDC, 0xDD):
        return int.from_bytes(start[1 : 3 if start[0] == 0xDC else 5], "big")
    raise msgspec.DecodeError("the texts are no array")


def connect(address: str, timeout_s: float) -> socket.socket:
    """Return a connection to `unix:/path` or `tcp://host:port`; raises OSError."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address.removeprefix("unix:"))
        except OSError:
            connection.close()
            raise
        return connection
    host, port = tcp_address(address)
    connection = socket.create_connection((host, port), timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def tcp_address(address: str) -> tuple[str, int]:
    """Return host and port of `tcp://host:port`."""
    parts = urlsplit(address)
    return parts.hostname or "127.0.0.1", parts.port or 7070
