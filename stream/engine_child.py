"""The router's view of one worker process: started, asked, watched, ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

import msgspec
import psutil

from infra.settings import ROOT
from stream import engine_control, engine_wire
from stream.engine_control import Report, Reports
from stream.engine_figures import Latencies

LAUNCH = ROOT / "infra" / "launch.py"  # has the kernel end the worker with the router
READ_AT_ONCE = 64 * 1024
SILENCE_S = 60.0  # a worker that answers nothing for so long hangs: agents wait no longer either
BURIED_S = 5.0  # from a connection's end to the worker's, where that is why


class WorkerDied(RuntimeError):
    """The worker ended before it answered; another may be asked."""


class Child:
    """A worker; `pending` is how many texts it was asked for, kept by whoever asks.

    Start it in a thread that lives as long as the router: the kernel ends it with that thread.
    """

    def __init__(
        self, command: Sequence[str], encoder: str, name: str, gpu: int | None = None
    ) -> None:
        """Start `command` with encoder, name and the descriptor of its control socket.

        It sees one GPU alone where `gpu` is given, none where there are not so many. Raises
        OSError where no process can be started.
        """
        self.encoder = encoder
        self.name = name
        self.control, theirs = socket.socketpair()
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                [*launch, *command, encoder, name, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=None if gpu is None else {**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu)},
                pass_fds=[theirs.fileno()],
            )
        except OSError:
            self.control.close()
            raise
        finally:
            theirs.close()
        self.control.setblocking(False)
        self._passing = threading.Lock()
        self._idle: deque[socket.socket] = deque()
        self._reports = Reports()
        self._answered_at = time.monotonic()
        self.buried = threading.Event()
        self.pending = 0
        self.has_answered = False
        self.report = Report()
        self.latencies = Latencies()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def rss(self) -> int:
        """Return the bytes of memory that it holds, 0 where it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def ask(self, request: bytes | bytearray) -> bytearray:
        """Pass a request's frame on and return the answer's.

        Raises WorkerDied, and OSError where the worker lives but does not understand the request.
        """
        connection: socket.socket | None = None
        try:
            connection = self._connection()
            connection.sendall(request)
            self._wait(connection)
            answer = engine_wire.receive_frame(connection)
        except TimeoutError:
            self.kill()
            answer = None
        except (OSError, msgspec.DecodeError):
            answer = None
        if answer is None:
            if connection is not None:
                connection.close()
            if self.buried.wait(BURIED_S):
                raise WorkerDied(self.name)
            raise ConnectionResetError(f"the worker of {self.encoder} closed the connection")
        assert connection is not None
        self._answered_at = time.monotonic()
        self.has_answered = self.report.ready
        self._idle.append(connection)
        return answer

    def _connection(self) -> socket.socket:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        with self._passing:
            connection = engine_control.pass_connection(self.control)
        connection.settimeout(SILENCE_S)
        return connection

    def _wait(self, connection: socket.socket) -> None:
        """Wait for the answer's beginning; raises TimeoutError where the worker hangs."""
        while True:
            try:
                connection.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                if time.monotonic() - self._answered_at > SILENCE_S:
                    raise
            else:
                return

    def read(self) -> list[Report] | None:
        """Return the reports that have come, None where the worker has ended."""
        try:
            data = self.control.recv(READ_AT_ONCE)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None
        return self._reports.feed(data) if data else None

    def kill(self) -> None:
        """End it at once: it keeps nothing that is worth a farewell."""
        self._process.kill()

    def bury(self) -> int:
        """Wait for its end and return the exit status; close what led to it."""
        self.kill()
        status = self._process.wait()
        self.control.close()
        while self._idle:
            self._idle.pop().close()
        return status
