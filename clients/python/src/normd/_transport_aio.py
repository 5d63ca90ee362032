# SPDX-License-Identifier: MIT
"""HTTP for the asyncio client: one attempt at one request. One pool of connections for each event loop.

aiohttp keeps the connections, with TLS, and parses answers. Its ``ClientSession`` on top of that would take longer than
all the rest of a small call, and newer ones send PUT and DELETE again by themselves.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Mapping, Tuple

import aiohttp
import yarl
from aiohttp.http import HttpProcessingError, StreamWriter

from ._network import Network
from ._request import Answer, Request
from ._server import PART_BYTES, Receive, Server, aligned, body_bytes, filled, outgoing

if sys.version_info >= (3, 11):
    from asyncio import timeout_at
else:
    from async_timeout import timeout_at

_RAISED = (aiohttp.ClientError, HttpProcessingError, OSError)
_UNLIMITED = aiohttp.ClientTimeout()
#: The connections to the server, and what names it to them.
_Pool = Tuple[aiohttp.TCPConnector, Any]

#: Pools of the process that this one was forked from. To collect them would take their sockets from its event loop.
_inherited: list[Any] = []


class Transport:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._options: dict[str, Any] = {"limit": server.connections}
        if server.scheme == "https":
            self._options["ssl"] = server.ssl_context()
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._process = os.getpid()

    def _pool(self, loop: asyncio.AbstractEventLoop) -> _Pool:
        if self._process != os.getpid():
            _inherited.append(self._pools)
            self._pools, self._process = {}, os.getpid()
        pool = self._pools.get(loop)
        if pool is None:
            for closed in [other for other in list(self._pools) if other.is_closed()]:
                self._pools.pop(closed, None)
            peer = aiohttp.ClientRequest("GET", yarl.URL(self._server.url, encoded=True), loop=loop)
            pool = self._pools[loop] = aiohttp.TCPConnector(**self._options), peer
        return pool

    async def close(self) -> None:
        if self._process == os.getpid():
            pool = self._pools.pop(asyncio.get_running_loop(), None)
            if pool is not None:
                await pool[0].close()

    async def attempt(self, request: Request, timeout_s: float, receive: Receive | None = None) -> Answer:
        """The answer, whatever its status. Raises NoAnswer if there is none within ``timeout_s``."""
        network = Network(_RAISED, self._server, request)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        try:
            async with timeout_at(deadline):
                return await self._exchange(network, loop, request, receive)
        except asyncio.TimeoutError as error:
            if loop.time() < deadline:
                raise  # the caller's own
            raise network.error(error) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _exchange(self, network: Network, loop: asyncio.AbstractEventLoop, request: Request,
                        receive: Receive | None) -> Answer:
        connector, peer = self._pool(loop)
        with network:
            connection = await connector.connect(peer, [], _UNLIMITED)
        try:
            protocol: Any = connection.protocol
            protocol.set_response_params(auto_decompress=False, read_until_eof=True)
            network.maybe_done = await self._send(network, connection, loop, request)
            with network:
                message, content = await protocol.read()
                while message.code < 200:
                    message, content = await protocol.read()
            answer = await _read(network, message, content, receive)
        except BaseException:
            _abort(connection)
            raise
        if network.maybe_done:
            connection.release()
        else:
            connection.close()
        return answer

    async def _send(self, network: Network, connection: Any, loop: asyncio.AbstractEventLoop,
                    request: Request) -> bool:
        """Sends the request. False if the server has closed its end, which it may have done after an answer."""
        writer = StreamWriter(connection.protocol, loop)
        for part in outgoing(request, self._server.head(request)):
            with network:
                try:
                    await writer.write(part)
                    await writer.drain()
                except ConnectionResetError:
                    return False
        return True


def _abort(connection: Any) -> None:
    """Closes a connection without sending what waits: what is left of an answer must not be read as the next one's."""
    if getattr(connection.protocol, "_paused", False):
        connection.protocol.resume_writing()  # or asyncio complains that nobody waits for it any more
    if connection.transport is not None:
        connection.transport.abort()
    connection.close()


async def _read(network: Network, message: Any, content: aiohttp.StreamReader, receive: Receive | None) -> Answer:
    headers = message.headers  # finds names in any case
    take = receive(message.code, headers) if receive is not None else None
    if take is None:
        with network:
            return Answer(message.code, headers, await _whole(network, headers, content))
    while True:
        with network:
            part = await content.read(PART_BYTES)
        if not part:
            return Answer(message.code, headers, memoryview(b""))
        take(memoryview(part))


async def _whole(network: Network, headers: Mapping[str, str], content: aiohttp.StreamReader) -> memoryview:
    length = body_bytes(headers)
    if length is None or length <= PART_BYTES:
        return filled(headers, await content.read())
    body = aligned(headers, length)
    offset = 0
    while part := await content.readany():
        body[offset:offset + len(part)] = part
        offset += len(part)
    if offset != length:
        raise network.ends_early(offset, length)
    return body
