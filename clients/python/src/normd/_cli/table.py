# SPDX-License-Identifier: MIT
"""Tables and numbers as text."""

from __future__ import annotations

from typing import Any, Sequence

from .._text import printable


def printable_lines(text: str) -> str:
    """Text whose lines have no control characters."""
    return "\n".join(map(printable, text.split("\n")))


def cell(value: Any) -> str:
    """A value on one line, as a reader wants it: six digits of a number, - for None."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(str(value))


def counted(number: float, singular: str, plural: str) -> str:
    """A number of things, such as "1 batch" and "2 batches"."""
    return f"{cell(number)} {singular if number == 1 else plural}"


def values_a_feature(number: float) -> str:
    return counted(number, "value a feature", "values a feature")


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns that are as wide as their widest cell; numbers to the right."""
    shown = [[cell(value) for value in row] for row in rows]
    numeric = [all(row[i] is None or isinstance(row[i], (int, float)) for row in rows) for i in range(len(heads))]
    widths = [max([len(head)] + [len(row[i]) for row in shown]) for i, head in enumerate(heads)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(text.rjust(width) if right else text.ljust(width)
                         for text, width, right in zip(cells, widths, numeric)).rstrip()

    return "\n".join([line(heads), *map(line, shown)])
