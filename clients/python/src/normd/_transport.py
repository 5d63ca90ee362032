# SPDX-License-Identifier: MIT
"""HTTP for the client: one attempt at one request. Connections are kept, and any thread may use them.

urllib3 connects, and http.client reads heads. Between them ``urlopen`` would cost more than all the rest of a
small call, and its time limits are for each read, not for all of them.
"""

from __future__ import annotations

import collections
import contextlib
import io
import os
import time
import weakref
from http.client import HTTPException, HTTPResponse
from typing import Any, Mapping

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util import is_connection_dropped

from ._network import Network
from ._request import Answer, Request
from ._server import PART_BYTES, Receive, Server, aligned, filled, outgoing


_RAISED = (HTTPError, OSError, HTTPException)


class Transport:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._context = server.ssl_context() if server.scheme == "https" else None
        self._idle: collections.deque[Any] = collections.deque()
        self._process = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        _close_all(self._idle)

    def attempt(self, request: Request, timeout_s: float, receive: Receive | None = None) -> Answer:
        """The answer, whatever its status. Raises NoAnswer if there is none within ``timeout_s``."""
        network = Network(_RAISED, self._server, request)
        deadline = time.monotonic() + timeout_s
        connection = self._take() or self._connect(network, deadline)
        reader = _Reader(connection.sock, deadline)
        response = HTTPResponse(reader, method=request.method)  # type: ignore[arg-type]
        is_whole = False
        try:
            network.maybe_done = _send(network, reader, request, self._server.head(request))
            with network:
                response.begin()
                if reader.is_at_end:  # http.client takes the end of the connection for that of the head
                    raise ConnectionError("the answer ends within its head")
            answer = _read(network, response, receive)
            is_whole = network.maybe_done and response.isclosed() and not response.will_close
            return answer
        finally:
            response.close()
            if is_whole:
                self._keep(connection)
            else:
                connection.close()  # what is left of the answer must not be read as the next one's

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _take(self) -> Any:
        """A connection that was kept, or None."""
        if self._process != os.getpid():
            self.close()  # a process that was forked must not write into its parent's connections
            self._process = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not is_connection_dropped(connection):
                return connection
            connection.close()

    def _keep(self, connection: Any) -> None:
        if len(self._idle) < self._server.connections:
            self._idle.append(connection)
        else:
            connection.close()

    def _connect(self, network: Network, deadline: float) -> Any:
        with network:
            connection: Any = HTTPConnection(self._server.host, self._server.port, timeout=_left(deadline))
            try:
                connection.connect()
                if self._context is not None:  # urllib3 1.26 refuses addresses that are numbers to such a context
                    connection.sock.settimeout(_left(deadline))
                    connection.sock = self._context.wrap_socket(connection.sock, server_hostname=self._server.host)
            except BaseException:
                connection.close()
                raise
        return connection


def _close_all(connections: collections.deque[Any]) -> None:
    with contextlib.suppress(IndexError):  # of the last, which another thread may take
        while True:
            connections.pop().close()


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises TimeoutError if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _send(network: Network, reader: _Reader, request: Request, head: bytes) -> bool:
    """Sends the request. False if the server has closed its end, which it may have done after an answer."""
    for part in outgoing(request, head):
        with network:
            try:
                reader.sock.settimeout(_left(reader.deadline))
                reader.sock.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                return False
    return True


def _read(network: Network, response: HTTPResponse, receive: Receive | None) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    take = receive(response.status, headers) if receive is not None else None
    if take is None:
        with network:
            return Answer(response.status, headers, _whole(network, response, headers))
    while True:
        with network:
            part = response.read1(PART_BYTES)
        if not part:
            return Answer(response.status, headers, memoryview(b""))
        take(memoryview(part))


def _whole(network: Network, response: HTTPResponse, headers: Mapping[str, str]) -> memoryview:
    if response.length is None:
        return filled(headers, response.read())
    length = response.length
    body = aligned(headers, length)
    received = response.readinto(body)
    if received != length:
        raise network.ends_early(received, length)
    return body


class _Reader(io.RawIOBase):
    """Reads from a socket, all until one deadline. HTTPResponse takes it for the socket."""

    def __init__(self, sock: Any, deadline: float) -> None:
        self.sock = sock
        self.deadline = deadline
        self.is_at_end = False

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, memory: Any) -> int:
        self.sock.settimeout(_left(self.deadline))
        received = int(self.sock.recv_into(memory))
        self.is_at_end = received == 0
        return received
