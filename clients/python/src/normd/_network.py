# SPDX-License-Identifier: MIT
"""What a network raises, as errors of this package."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType

from ._request import Request
from ._server import Server
from ._text import printable
from .errors import Error, NoAnswer


class Network:
    """One attempt's use of the network. What it raises ``with`` this, of ``kinds``, becomes NoAnswer.

    ``maybe_done`` is to be set when the last byte has been sent: a request that has no end is not carried out. What
    the caller's own code raises, such as a file that is sent, does not belong within.
    """

    def __init__(self, kinds: tuple[type[Exception], ...], server: Server, request: Request) -> None:
        self._kinds = kinds
        self._server = server
        self._request = request
        self.maybe_done = False

    def __enter__(self) -> Network:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if error is not None and isinstance(error, self._kinds):
            raise self.error(error) from error

    def error(self, error: BaseException) -> Error:
        # The libraries wrap the system's error, and name their own objects in the text.
        said: list[BaseException] = [cause for cause in (error.__cause__, error.__context__, *error.args[-1:])
                                     if isinstance(cause, OSError)] or [error]
        words = str(said[0]) or ("timed out" if isinstance(said[0], TimeoutError) else type(said[0]).__name__)
        text = f"{self._request}: no answer from {self._server.url}: {printable(words.strip())}"
        return Error(text) if any(map(_is_final, (error, *said))) else NoAnswer(text, self.maybe_done)

    def ends_early(self, received: int, expected: int) -> Error:
        return NoAnswer(f"{self._request}: the answer ends after {received} of {expected} bytes", self.maybe_done)


def _is_final(error: BaseException) -> bool:
    """Whether the next attempt must meet the same: a certificate that does not fit, a host that does not exist, or one
    that does not speak TLS."""
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLCertVerificationError) or getattr(error, "reason", "") == "WRONG_VERSION_NUMBER"
    return isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
