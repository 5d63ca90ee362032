# SPDX-License-Identifier: MIT
"""The client: where normd is, and how calls are sent, tried again and read."""

from __future__ import annotations

import os
from dataclasses import replace
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Mapping, TypeVar

from .. import _calls
from .._download import Download
from .._request import Call, Request, error_of, is_absent, read_answer
from .._retries import Attempts, Retries
from .._server import server
from .._transport_aio import Transport
from ..errors import ApiError, Error, NoAnswer, UnexpectedAnswer
from ..types import Exported, IndexEntry, Usage
from .model import AsyncModel

T = TypeVar("T")


class AsyncClient:
    """A normd.

    ``url`` is its address, such as ``http://127.0.0.1:8080``, with the path below which a gateway has it. ``token`` is
    sent as a bearer token. ``timeout_s`` is for each call as a whole, with all its attempts. ``retries`` says more
    about these. ``ca_certs`` is a file of certificates to trust instead of the system's. At most ``connections`` are
    kept; the asyncio client opens no more. Proxies that the environment names are not used. Nothing is sent before the
    first call, which also asks whether the server is a normd with this API.
    """

    def __init__(self, url: str = "http://127.0.0.1:8080", *, token: str | None = None, timeout_s: float | None = None,
                 retries: Retries = Retries(), ca_certs: str | None = None, connections: int = 64) -> None:
        if connections < 1:
            raise ValueError("a client needs at least 1 connection")
        self._server = server(url, token, ca_certs, connections)
        self._retries = retries if timeout_s is None else replace(retries, timeout_s=timeout_s)
        self._transport = Transport(self._server)
        self._greeted = [False]  # shared with copies by with_options

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._server.url!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"_server": self._server, "_retries": self._retries}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _transport=Transport(state["_server"]), _greeted=[False])

    def __deepcopy__(self, memo: object) -> AsyncClient:
        return self  # copies of what holds a client, such as an estimator, share its connections

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. A call after it opens new ones."""
        await self._transport.close()

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._server.url

    def with_options(self, *, timeout_s: float | None = None, retries: Retries | None = None) -> AsyncClient:
        """The same client with other limits, by the same connections: for one call that may take longer, say."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._retries = retries or self._retries
        if timeout_s is not None:
            other._retries = replace(other._retries, timeout_s=timeout_s)
        return other

    def model(self, name: str) -> AsyncModel:
        """The model of this name. Nothing is sent; a model comes to be with its first layer."""
        return AsyncModel(self, name)

    async def models(self) -> AsyncIterator[str]:
        """The names of all models that the token may see, in byte order."""
        async for name in self._pages("/v1/models", "models"):
            yield name

    async def normalize(self, definition: Mapping[str, Any], x: Any, *, weight: Any = None, bias: Any = None,
                        lengths: Any = None, mask: Any = None, copy: bool = False) -> Any:
        """``x`` as a new layer of this definition would normalize it in training. Nothing is stored.

        ``definition`` has the members of ``Layer.create``, such as ``{"kind": "layer_norm", "normalized_shape": [4]}``.
        """
        return await self._send(_calls.normalize(definition, x, weight=weight, bias=bias, lengths=lengths, mask=mask,
                                                 copy=copy))

    async def server(self) -> dict[str, Any]:
        """The server's name, version and links."""
        return await self._send(_calls.get("/"))

    async def protocol(self) -> dict[str, Any]:
        """The server's name, version and extensions, as the Open Inference Protocol has them."""
        return await self._send(_calls.get("/v2"))

    async def index(self, *, ready: bool = False) -> list[IndexEntry]:
        """All models, with what serves and whether the Open Inference Protocol may use them; or only the ``ready``."""
        entries: list[Any] = await self._send(_calls.index(ready))
        return entries

    async def usage(self) -> list[Usage]:
        """How the Open Inference Protocol, which ``Model.train`` and ``Model.infer`` speak, was used since the daemon
        started, by models and versions."""
        used: list[Usage] = await self._send(_calls.member(_calls.get("/v2/models/stats"), "model_stats"))
        return used

    async def live(self) -> bool:
        """Whether the daemon answers. Fails otherwise."""
        return bool(await self._send(_calls.member(_calls.get("/v2/health/live"), "live")))

    async def ready(self) -> bool:
        """Whether the daemon is there and can work. Unlike other calls it is not tried again."""
        try:
            await self.with_options(retries=replace(self._retries, attempts=1))._send(_calls.get("/v2/health/ready"))
        except (ApiError, NoAnswer, UnexpectedAnswer):  # also a gateway's page about a server that is away
            return False
        return True

    async def metrics(self) -> str:
        """The daemon's metrics in Prometheus' text format."""
        return await self._send(_calls.text("/metrics"))

    async def openapi(self) -> dict[str, Any]:
        """The API's document in OpenAPI 3.1."""
        return await self._send(_calls.get("/openapi.json"))

    async def log_level(self) -> str:
        """The least level whose lines the daemon's log has."""
        return str(await self._send(_calls.member(_calls.get("/v1/log-level"), "level")))

    async def set_log_level(self, level: str) -> None:
        """``debug``, ``info``, ``warn`` or ``error``, until the daemon is restarted."""
        await self._send(_calls.put("/v1/log-level", {"level": level}))

    async def backup(self, path: str | os.PathLike[str],
                     progress: Callable[[int, int], None] | None = None) -> Exported:
        """Writes a consistent copy of the daemon's store into the file ``path``, which appears when it is whole."""
        return await self._download(Request("GET", "/v1/backup"), path, progress)

    # ---- how calls are sent

    async def _send(self, call: Call[T]) -> T:
        """What the call reads from its answer."""
        deadline = self._retries.deadline()
        if not self._greeted[0]:
            await self._greet(deadline)
        return await self._attempts(call, deadline)

    async def _greet(self, deadline: float) -> None:
        """Asks, once, whether the server is a normd with this API."""
        try:
            await self._attempts(_calls.hello(), deadline)
        except Error as error:
            error.maybe_done = False  # what the caller asks for has not been sent
            raise
        self._greeted[0] = True

    async def _attempts(self, call: Call[T], deadline: float) -> T:
        attempts = Attempts(self._retries, call.request.repeat, deadline)
        while True:
            try:
                answer = await self._transport.attempt(call.request, attempts.time_left())
                error = error_of(call.request, answer)
                if error is None:
                    return read_answer(call, answer)
                if call.request.absent_is_done and attempts.maybe_done and is_absent(error):
                    return call.read(answer)
            except Error as failure:
                error = failure
            await self._transport.sleep(attempts.pause_after(error))

    async def _pages(self, path: str, member: str) -> AsyncIterator[Any]:
        """The members of a list, page after page."""
        after: str | None = None
        while True:
            entries, after = await self._send(_calls.page(path, member, after))
            for entry in entries:
                yield entry
            if after is None:
                return

    async def _download(self, request: Request, path: str | os.PathLike[str],
                        progress: Callable[[int, int], None] | None) -> Exported:
        """An answer into a file, which goes on where a lost connection has cut it if the server can."""
        deadline = self._retries.deadline()
        if not self._greeted[0]:
            await self._greet(deadline)
        with Download(path, progress) as download:
            attempts = Attempts(self._retries, request.repeat, deadline)
            while True:
                part = download.rest_of(request)
                try:
                    answer = await self._transport.attempt(part, attempts.time_left(), download.receive)
                    error = error_of(part, answer) or download.missing(part)
                    if error is None:
                        return download.finish()
                except Error as failure:
                    error = failure
                await self._transport.sleep(attempts.pause_after(error))
