# SPDX-License-Identifier: MIT
"""A file that an answer is written into, by one attempt or by several that go on where the last one ended."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from types import TracebackType
from typing import Callable, Iterator, Mapping, Optional

from ._request import Request
from ._server import body_bytes
from .errors import Error, NoAnswer
from .types import Exported


class Download:
    """The file is written beside ``path`` under another name, and gets its own when it is whole."""

    def __init__(self, path: str | os.PathLike[str], progress: Callable[[int, int], None] | None) -> None:
        self._path = os.fspath(path)
        self._progress = progress
        # Not by mkstemp, whose files nobody else may read.
        self._part = os.path.join(os.path.dirname(os.path.abspath(self._path)), f".normd-{os.urandom(8).hex()}")
        with self._naming():
            self._file = open(self._part, "xb")
        self._headers: Mapping[str, str] = {}
        self._size: int | None = None

    def __enter__(self) -> Download:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take is tried again
            self._file.close()
        if os.path.exists(self._part):
            os.unlink(self._part)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Errors of the file system name the file that the caller knows."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from error

    def rest_of(self, request: Request) -> Request:
        """The request for what is missing. The server sends all of it anew if the file has changed."""
        etag = self._headers.get("etag")
        if etag is None or self._headers.get("accept-ranges") != "bytes" or self._file.tell() == 0:
            return request
        return replace(request, headers={**request.headers, "Range": f"bytes={self._file.tell()}-", "If-Range": etag})

    def receive(self, status: int, headers: Mapping[str, str]) -> Callable[[memoryview], None] | None:
        """Who takes the answer's body; None for an error's."""
        if status not in (200, 206):
            return None
        if status == 200:
            with self._naming():
                self._file.seek(0)
                self._file.truncate()
            self._headers = headers
            self._size = body_bytes(headers)
        return self._write

    def _write(self, part: memoryview) -> None:
        with self._naming():
            self._file.write(part)
        if self._progress is not None:
            self._progress(self._file.tell(), self._size or 0)

    def missing(self, request: Request) -> Error | None:
        if self._size is None or self._file.tell() == self._size:
            return None
        return NoAnswer(f"{request}: the answer ends after {self._file.tell()} of {self._size} bytes", True)

    def finish(self) -> Exported:
        with self._naming():
            self._file.flush()
            size = self._file.tell()
            os.fsync(self._file.fileno())
            os.replace(self._part, self._path)
        version = self._headers.get("normd-version")
        return Exported(self._path, size, int(version) if version and version.isdigit() else version,
                        self._headers.get("etag"))
