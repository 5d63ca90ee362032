# SPDX-License-Identifier: MIT
"""When a call is sent again, and when it is given up.

A call is one logical request. It has one deadline, which all its attempts share, and if it moves statistics one
Idempotency-Key, so that the daemon carries it out once, however many attempts reach it.
"""

from __future__ import annotations

import enum
import os
import random
import threading
import time
from dataclasses import dataclass

from .errors import ApiError, DeadlineExceeded, Error, IdempotencyInFlight, NoAnswer, UnexpectedAnswer


class Repeat(enum.Enum):
    """Whether a request may be sent again when it may have been carried out."""

    SAFE = "safe"  # twice is as good as once
    NEVER = "never"


@dataclass(frozen=True)
class Retries:
    """How often and how long a call is tried.

    ``timeout_s`` is for the whole call, with all attempts and pauses. Pauses begin with ``first_pause_s``, double up to
    ``longest_pause_s``, and are shortened at random by up to a half, so that clients do not come back together. A
    ``Retry-After`` of the daemon is waited for. ``attempts`` of 1 means that nothing is sent again.
    """

    timeout_s: float = 60.0
    attempts: int = 1000
    first_pause_s: float = 0.05
    longest_pause_s: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.timeout_s <= threading.TIMEOUT_MAX:
            raise ValueError(f"timeout_s must be a number of seconds from 0 to {threading.TIMEOUT_MAX:g}, "
                             f"not {self.timeout_s}")
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")

    def deadline(self) -> float:
        """When a call that begins now has to end, by ``time.monotonic``."""
        return time.monotonic() + self.timeout_s


def new_key() -> str:
    """An Idempotency-Key that no other call has: a UUID of version 7. Keys that grow with time are stored fastest."""
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | 7 << 76 | random_bits & (1 << 76) - 1
    value = value & ~(3 << 62) | 2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


# Of answers that are not normd's, those that gateways give when the server behind them is away, slow or busy.
_GATEWAY = (429, 502, 503, 504)


def _passes(error: Error) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, ApiError):
        return error.status in (429, 503) or isinstance(error, IdempotencyInFlight)
    return isinstance(error, NoAnswer) or (isinstance(error, UnexpectedAnswer) and error.status in _GATEWAY)


class Attempts:
    """The attempts of one call."""

    def __init__(self, retries: Retries, repeat: Repeat, deadline: float) -> None:
        self._retries = retries
        self._repeat = repeat
        self._deadline = deadline
        self._made = 0
        self.maybe_done = False

    def time_left(self) -> float:
        """Seconds for the next attempt; never 0."""
        return max(self._deadline - time.monotonic(), 0.001)

    def pause_after(self, error: Error) -> float:
        """Seconds until the next attempt. Raises ``error``, or DeadlineExceeded, if there is none."""
        self._made += 1
        repeatable = self._repeat is Repeat.SAFE or not error.maybe_done
        self.maybe_done |= error.maybe_done
        error.maybe_done = self.maybe_done
        left = self._deadline - time.monotonic()
        is_late = isinstance(error, NoAnswer) and left <= 0
        if not is_late and (not repeatable or not _passes(error) or self._made >= self._retries.attempts):
            raise error
        pause = self._pause(error)
        if pause < left:
            return pause
        if not isinstance(error, NoAnswer):
            raise error
        attempts = "1 attempt" if self._made == 1 else f"{self._made} attempts"
        raise DeadlineExceeded(f"{error} (given up after {attempts}: the call has {self._retries.timeout_s:g} s)",
                               self.maybe_done) from error

    def _pause(self, error: Error) -> float:
        # The first repeat after a lost connection is at once: a server may close one that was idle.
        if self._made == 1 and isinstance(error, NoAnswer) and error.maybe_done:
            return 0.0
        pause = min(self._retries.first_pause_s * 2.0 ** min(self._made - 1, 30), self._retries.longest_pause_s)
        asked = error.retry_after if isinstance(error, (ApiError, UnexpectedAnswer)) else None
        return (asked or 0.0) + pause * random.uniform(0.5, 1.0)
