"""Between the router and a worker: connections down, reports up, over one socket pair.

The router passes the worker one end of a new socket pair for each connection: there is no address
that an earlier engine could still hold, and the death of either side ends every connection.
"""

from __future__ import annotations

import socket

import msgspec

REPORT_EVERY_S = 0.5


class Report(msgspec.Struct, frozen=True):
    """What a worker is and has done, counted since its start.

    `refused` says why its encoder cannot be loaded; `busy_s` is of all streams together.
    """

    ready: bool = False
    refused: str = ""
    fingerprint: str = ""
    runtime: str = ""
    texts: int = 0
    encoded: int = 0
    batches: int = 0
    tokens: int = 0
    padding_tokens: int = 0
    busy_s: float = 0.0
    queue_texts: int = 0


_reports = msgspec.json.Decoder(Report)


def pass_connection(control: socket.socket) -> socket.socket:
    """Give the worker a new connection and return the other end; raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            socket.send_fds(control, [b"c"], [theirs.fileno()])
    except OSError:
        ours.close()
        raise
    return ours


def next_connection(control: socket.socket) -> socket.socket | None:
    """Return the connection that the router passes next, None once the router has gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    except ConnectionResetError:
        return None
    return socket.socket(fileno=descriptors[0]) if data else None


def send_report(control: socket.socket, report: Report) -> None:
    """Tell the router; raises OSError."""
    control.sendall(msgspec.json.encode(report) + b"\n")


class Reports:
    """The router's end: bytes in, whole reports out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Report]:
        """Return the reports that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [_reports.decode(line) for line in lines]
