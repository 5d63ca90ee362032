# SPDX-License-Identifier: MIT
"""Tables and numbers as text."""

from __future__ import annotations

from typing import Any, Sequence


def printable(text: str) -> str:
    """Text in which control characters are shown as ?: a terminal would obey them."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def cell(value: Any) -> str:
    """A value on one line, as a reader wants it: six digits of a number, - for None."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(str(value)).replace("\n", "?")


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns that are as wide as their widest cell; numbers to the right."""
    shown = [[cell(value) for value in row] for row in rows]
    numeric = [all(row[i] is None or isinstance(row[i], (int, float)) for row in rows) for i in range(len(heads))]
    widths = [max([len(head)] + [len(row[i]) for row in shown]) for i, head in enumerate(heads)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(text.rjust(width) if right else text.ljust(width)
                         for text, width, right in zip(cells, widths, numeric)).rstrip()

    return "\n".join([line(heads), *map(line, shown)])
