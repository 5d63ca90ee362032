# SPDX-License-Identifier: MIT
"""Which server a client speaks to, and how."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Callable, Mapping, Optional
from urllib.parse import urlsplit

from ._version import __version__

#: Takes an answer's status and headers; returns who takes its body in parts, or None to have it whole in memory.
Receive = Callable[[int, Mapping[str, str]], Optional[Callable[[memoryview], None]]]

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
    headers: Mapping[str, str]
    ca_certs: str | None
    connections: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    def ssl_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_certs)


def server(url: str, token: str | None, ca_certs: str | None, connections: int) -> Server:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username is not None:
        raise ValueError(f"{url!r} is not the address of a normd, such as http://127.0.0.1:8080")
    headers = {"User-Agent": f"normd-python/{__version__}"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Server(parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme],
                  parts.path.rstrip("/"), headers, ca_certs, connections)


def aligned(headers: Mapping[str, str], body_bytes: int) -> memoryview:
    """Memory for a body, in which the values behind the JSON of the Open Inference Protocol are aligned."""
    pad = -int(headers.get("inference-header-content-length", "0")) % 64
    return memoryview(bytearray(pad + body_bytes))[pad:]
