# SPDX-License-Identifier: MIT
"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Callable, Optional

from .._text import printable

_WIDTH = 30
_EVERY_S = 0.1


class Progress:
    def __init__(self, title: str) -> None:
        self._title = printable(title)
        self._shown_at = 0.0
        self._shown = False

    def __enter__(self) -> Optional[Callable[[int, int], None]]:
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")

    def _show(self, done: int, size: int) -> None:
        now = time.monotonic()
        if now - self._shown_at < _EVERY_S and done != size:
            return
        self._shown_at, self._shown = now, True
        share = done / size if size else 0.0
        bar = "#" * int(share * _WIDTH)
        sys.stderr.write(f"\r{self._title} [{bar:<{_WIDTH}}] {share:4.0%} {done / 1e6:,.1f} of {size / 1e6:,.1f} MB")
        sys.stderr.flush()
