# SPDX-License-Identifier: MIT
"""Text that others wrote, as it may be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text of a stranger on one line, without the control characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
