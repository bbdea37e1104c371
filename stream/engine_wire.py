"""What the agents and the engine say to each other: length-prefixed msgpack over a socket.

A request holds texts, an answer holds float16 vectors. Both ends read this file and nothing else of
each other.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import msgspec

LENGTH_BYTES = 4
MAX_FRAME = 512 * 1024 * 1024
"""Bytes of the largest frame: a batch of the largest texts; anything above is a broken peer."""


class Embed(msgspec.Struct, frozen=True, tag="embed"):
    """Encode texts with one encoder."""

    encoder: str
    texts: list[str]


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """Load an encoder, warm it up, and say what it is."""

    encoder: str


class Vectors(msgspec.Struct, frozen=True, tag="vectors"):
    """float16 vectors of the texts, row after row, and which texts were cut.

    Rows in `poisonous` mean nothing: the engine dies on these texts and does not try them again.
    """

    vectors: bytes
    truncated: list[bool]
    poisonous: list[int] = []


class Description(msgspec.Struct, frozen=True, tag="description"):
    """`fingerprint` names everything that changes an embedding; `width` is D."""

    encoder: str
    fingerprint: str
    width: int
    languages: list[str]
    runtime: str
    precision: str


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The engine cannot do this, however often it is asked: unknown or broken encoder."""

    reason: str


Request = Embed | Describe
Answer = Vectors | Description | Refusal
_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def send(connection: socket.socket, message: Request | Answer) -> None:
    """Write one message; raises OSError."""
    body = _encoder.encode(message)
    connection.sendall(len(body).to_bytes(LENGTH_BYTES, "big") + body)


def receive_request(connection: socket.socket) -> Request | None:
    """Read one request, None where the peer has gone; raises OSError, msgspec.DecodeError."""
    frame = _frame(connection)
    return None if frame is None else _requests.decode(frame)


def receive_answer(connection: socket.socket) -> Answer | None:
    """Read one answer, None where the engine has gone; raises OSError, msgspec.DecodeError."""
    frame = _frame(connection)
    return None if frame is None else _answers.decode(frame)


def _frame(connection: socket.socket) -> bytearray | None:
    head = _exactly(connection, LENGTH_BYTES)
    if head is None:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME:
        raise msgspec.DecodeError(f"a frame of {length} bytes; the limit is {MAX_FRAME}")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytearray | None:
    buffer = bytearray(count)
    view = memoryview(buffer)
    while view:
        got = connection.recv_into(view)
        if got == 0:
            return None
        view = view[got:]
    return buffer


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
