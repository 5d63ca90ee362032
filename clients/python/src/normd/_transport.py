# SPDX-License-Identifier: MIT
"""HTTP for the client, by urllib3: one attempt at one request. Connections are kept, and any thread may use them."""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import Any, Iterator, Mapping

import urllib3
from urllib3.exceptions import (ConnectTimeoutError, HTTPError, LocationParseError, NewConnectionError)


from ._request import Answer, Request
from ._server import JOINED_BYTES, PART_BYTES, Receive, Server, aligned, body_bytes
from .errors import Error, NoAnswer


class Transport:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._kind: Any = urllib3.HTTPConnectionPool
        self._options: dict[str, Any] = {"maxsize": server.connections}
        if server.scheme == "https":
            self._kind = urllib3.HTTPSConnectionPool
            self._options["ssl_context"] = server.ssl_context()
        self._open()

    def _open(self) -> None:
        self._pool = self._kind(self._server.host, self._server.port, **self._options)
        self._process = os.getpid()

    def close(self) -> None:
        pool = self._pool
        self._open()  # a pool that is closed takes no calls
        pool.close()

    def attempt(self, request: Request, timeout_s: float, receive: Receive | None = None) -> Answer:
        """The answer, whatever its status. Raises NoAnswer if there is none within ``timeout_s``."""
        if self._process != os.getpid():
            self._open()  # a process that was forked must not write into its parent's connections
        deadline = time.monotonic() + timeout_s
        try:
            response = self._pool.urlopen(
                request.method, self._server.prefix + request.target, _body(request), self._headers(request),
                retries=False, redirect=False, timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
                preload_content=False, decode_content=False)
            return _read(request, response, deadline, receive)
        except (HTTPError, OSError) as error:
            raise self._failure(request, error) from error

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {**self._server.headers, **request.headers}
        if request.body_bytes or request.method in ("POST", "PUT"):
            headers["Content-Length"] = str(request.body_bytes)
        return headers

    def _failure(self, request: Request, error: Exception) -> Error:
        # urllib3 wraps the system's error, and names its own objects in the text.
        causes: list[Exception] = [cause for cause in (error.__cause__, error.__context__, *error.args[-1:])
                                   if isinstance(cause, OSError)]
        text = f"{request}: no answer from {self._server.url}: {(causes or [error])[0]}"
        if isinstance(error, LocationParseError) or any(map(_is_final, (error, *causes))):
            return Error(text)
        return NoAnswer(text, not isinstance(error, (NewConnectionError, ConnectTimeoutError)))


def _is_final(error: Exception) -> bool:
    """Whether the next attempt must meet the same: a certificate that does not fit, a host that does not exist."""
    return isinstance(error, ssl.SSLCertVerificationError) or (
        isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN)


def _body(request: Request) -> bytes | Iterator[Any] | None:
    if callable(request.body):
        return request.body()
    if request.body_bytes <= JOINED_BYTES:
        return b"".join(request.body) or None
    return iter(request.body)


def _read(request: Request, response: Any, deadline: float, receive: Receive | None) -> Answer:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    try:
        take = receive(response.status, headers) if receive is not None else None
        if take is not None:
            for part in _parts(request, response, deadline):
                take(part)
            return Answer(response.status, headers, memoryview(b""))
        body = _whole(request, response, headers, deadline)
    except BaseException:
        response.close()  # what is left of the answer must not be read as the next one's
        raise
    response.release_conn()
    return Answer(response.status, headers, body)


def _whole(request: Request, response: Any, headers: Mapping[str, str], deadline: float) -> memoryview:
    length = body_bytes(headers)
    if length is None or length <= PART_BYTES:
        text = response.read()
        if length is not None and len(text) != length:
            raise NoAnswer(f"{request}: the answer ends after {len(text)} of {length} bytes", True)
        body = aligned(headers, len(text))
        body[:] = text
        return body
    body = aligned(headers, length)
    offset = 0
    for part in _parts(request, response, deadline):
        body[offset:offset + len(part)] = part
        offset += len(part)
    if offset != len(body):
        raise NoAnswer(f"{request}: the answer ends after {offset} of {length} bytes", True)
    return body


def _parts(request: Request, response: Any, deadline: float) -> Iterator[memoryview]:
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer(f"{request}: the answer did not end in time", True)
        connection = response.connection
        if connection is not None and getattr(connection, "sock", None) is not None:
            connection.sock.settimeout(left)
        part = response.read(PART_BYTES)
        if not part:
            return
        yield memoryview(part)
