# SPDX-License-Identifier: MIT
"""The client for asyncio. Needs aiohttp: ``pip install normd[aio]``.

Each method of ``normd.Client``, ``Model`` and ``Layer`` is a coroutine here; lists are asynchronous iterators.
A client may be used from several event loops. Each has its own connections, and ``close`` closes those of its own loop.
"""

from ._async.client import AsyncClient
from ._async.layer import AsyncLayer
from ._async.model import AsyncModel

__all__ = ["AsyncClient", "AsyncLayer", "AsyncModel"]
