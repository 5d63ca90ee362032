# SPDX-License-Identifier: MIT
"""Which server a client speaks to, and how."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Callable, Iterator, Mapping, Optional
from urllib.parse import quote, urlsplit

from ._request import Request
from ._tensors import Buffer
from ._version import __version__
from .errors import Error

#: Takes an answer's status and headers; returns who takes its body in parts, or None to have it whole in memory.
Receive = Callable[[int, Mapping[str, str]], Optional[Callable[[memoryview], None]]]

_PORTS = {"http": 80, "https": 443}
#: A body's parts of at most so many bytes together are sent as one.
JOINED_BYTES = 1 << 16
#: Bodies are sent and read in parts of so many bytes.
PART_BYTES = 1 << 18


@dataclass(frozen=True)
class Server:
    """``prefix`` is the path below which the API is found, for servers behind a gateway; without a slash at its end."""

    scheme: str
    host: str
    port: int
    prefix: str
    headers: Mapping[str, str] = field(repr=False)  # may have a token
    ca_certs: str | None
    connections: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    def head(self, request: Request) -> bytes:
        """What a request begins with."""
        lines = [f"{request.method} {self.prefix}{request.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for headers in (self.headers, request.headers) for name, value in headers.items()]
        if request.body_bytes or request.method in ("POST", "PUT"):
            lines.append(f"Content-Length: {request.body_bytes}")
        return "\r\n".join((*lines, "", "")).encode("ascii")

    def ssl_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_certs)
        except OSError as error:  # it does not name the file
            raise OSError(error.errno, error.strerror, self.ca_certs) from error


def server(url: str, token: str | None, ca_certs: str | None, connections: int) -> Server:
    scheme, host, port, path = _parts(url)
    named = f"[{host}]" if ":" in host else host
    headers = {"Host": named if port == _PORTS[scheme] else f"{named}:{port}",
               "User-Agent": f"normd-python/{__version__}", "Accept-Encoding": "identity"}
    if token is not None:
        if not re.fullmatch("[!-~]+", token):
            raise ValueError("the token has characters that no token has, such as white space at its end")
        headers["Authorization"] = f"Bearer {token}"
    return Server(scheme, host, port, quote(path.rstrip("/"), safe="/%:@!$&'()*+,;=~"), headers, ca_certs, connections)


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path. Anything else in an address would be lost, so it is refused."""
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, KeyError, AttributeError, TypeError):
        parts, host, port = urlsplit(""), "", 0
    if not host or port == 0 or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{_without_password(url)!r} is not the address of a normd, such as http://127.0.0.1:8080")
    return parts.scheme, host, port, parts.path


def _without_password(url: object) -> object:
    return re.sub("//.*@", "//...@", url) if isinstance(url, str) else url


def body_bytes(headers: Mapping[str, str]) -> int | None:
    """The length that an answer announces; None if it announces none, or nonsense."""
    return _bytes(headers, "content-length")


def _bytes(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def aligned(headers: Mapping[str, str], body_bytes: int) -> memoryview:
    """Memory for a body, in which the values behind the JSON of the Open Inference Protocol are aligned."""
    pad = -(_bytes(headers, "inference-header-content-length") or 0) % 64
    try:
        return memoryview(bytearray(pad + body_bytes))[pad:]
    except (MemoryError, OverflowError):
        error = Error(f"the answer has {body_bytes} bytes, and there is no memory for them")
        error.maybe_done = True
        raise error from None


def filled(headers: Mapping[str, str], text: bytes) -> memoryview:
    body = aligned(headers, len(text))
    body[:] = text
    return body


def outgoing(request: Request, head: bytes) -> Iterator[Buffer]:
    """The head and the body, in parts that are sent at once."""
    if not callable(request.body) and request.body_bytes <= JOINED_BYTES:
        yield b"".join((head, *request.body))
        return
    yield head
    for body in request.body() if callable(request.body) else request.body:
        part = memoryview(body)
        for offset in range(0, len(part), PART_BYTES):
            yield part[offset:offset + PART_BYTES]
