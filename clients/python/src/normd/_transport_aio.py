# SPDX-License-Identifier: MIT
"""HTTP for the asyncio client, by aiohttp: one attempt at one request. One session for each event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import Any, AsyncIterator, Mapping

import aiohttp

from ._request import Answer, Request
from ._server import JOINED_BYTES, PART_BYTES, Receive, Server, aligned, body_bytes
from .errors import Error, NoAnswer


_inherited: list[Any] = []


class Transport:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._options: dict[str, Any] = {"limit": server.connections}
        if server.scheme == "https":
            self._options["ssl"] = server.ssl_context()
        self._session: aiohttp.ClientSession | None = None
        self._owner: tuple[asyncio.AbstractEventLoop, int] | None = None

    def _open(self) -> aiohttp.ClientSession:
        owner = asyncio.get_running_loop(), os.getpid()
        if self._session is None or self._owner != owner:
            self._abandon(owner[1])
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(**self._options), auto_decompress=False, headers=self._server.headers,
                cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("Accept-Encoding", "Accept", "Content-Type"))
            if hasattr(self._session, "_retry_connection"):
                self._session._retry_connection = False  # newer aiohttp would send some requests twice
            self._owner = owner
        return self._session

    def _abandon(self, process: int) -> None:
        """
        The session of the process that this one was forked from must not even be collected: that would take its
        sockets from the parent's event loop.
        """
        if self._owner is not None and self._owner[1] != process:
            _inherited.append(self._session)
        self._session = None

    async def close(self) -> None:
        session, owner, self._session = self._session, self._owner, None
        if session is not None and owner == (asyncio.get_running_loop(), os.getpid()):
            await session.close()

    async def attempt(self, request: Request, timeout_s: float, receive: Receive | None = None) -> Answer:
        """The answer, whatever its status. Raises NoAnswer if there is none within ``timeout_s``."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        headers = dict(request.headers)
        if request.body_bytes or request.method in ("POST", "PUT"):
            headers["Content-Length"] = str(request.body_bytes)
        try:
            async with self._open().request(request.method, _url(self._server, request), data=_body(request),
                                            headers=headers, timeout=timeout, allow_redirects=False) as response:
                return await _read(request, response, receive)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise self._failure(request, error) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _failure(self, request: Request, error: Exception) -> Error:
        text = f"{request}: no answer from {self._server.url}: {error or type(error).__name__}"
        cause = getattr(error, "os_error", None) or error.__cause__
        if isinstance(cause, Error):  # of a file that is sent
            return cause
        if isinstance(error, aiohttp.ClientConnectorCertificateError) or isinstance(
                cause, ssl.SSLCertVerificationError):
            return Error(text)
        if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            return Error(text)
        return NoAnswer(text, not isinstance(error, aiohttp.ClientConnectorError))


def _url(server: Server, request: Request) -> Any:
    import yarl
    return yarl.URL(server.url + request.target, encoded=True)


def _body(request: Request) -> Any:
    if not callable(request.body) and request.body_bytes <= JOINED_BYTES:
        return b"".join(request.body) or None
    return _pieces(request)


async def _pieces(request: Request) -> AsyncIterator[memoryview]:
    """Parts no larger than the loop can send without keeping a copy of the rest."""
    for part in request.body() if callable(request.body) else request.body:
        memory = memoryview(part)
        for offset in range(0, len(memory), PART_BYTES):
            yield memory[offset:offset + PART_BYTES]


async def _read(request: Request, response: aiohttp.ClientResponse, receive: Receive | None) -> Answer:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    take = receive(response.status, headers) if receive is not None else None
    if take is not None:
        async for part in response.content.iter_chunked(PART_BYTES):
            take(memoryview(part))
        return Answer(response.status, headers, memoryview(b""))
    length = body_bytes(headers)
    if length is None or length <= PART_BYTES:
        text = await response.read()
        body = aligned(headers, len(text))
        body[:] = text
        return Answer(response.status, headers, body)
    body = aligned(headers, length)
    offset = 0
    async for part in response.content.iter_chunked(PART_BYTES):
        body[offset:offset + len(part)] = part
        offset += len(part)
    if offset != length:
        raise NoAnswer(f"{request}: the answer ends after {offset} of {length} bytes", True)
    return Answer(response.status, headers, body)
