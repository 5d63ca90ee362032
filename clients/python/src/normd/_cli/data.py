# SPDX-License-Identifier: MIT
"""Data from files, for ``report``: .npy, or .csv with or without a line of names."""

from __future__ import annotations

import csv
import math
from typing import Any, Optional


class BadFile(Exception):
    """The file is not what it should be; the text says where."""


def read(path: str) -> tuple[Any, Optional[list[str]]]:
    """The values, and the columns' names where the file has them."""
    if path.endswith(".npy"):
        return _npy(path), None
    if path.endswith(".csv"):
        return _csv(path)
    raise BadFile(f"{path}: the name must end in .csv or .npy")


def _npy(path: str) -> Any:
    try:
        import numpy
    except ImportError:
        raise BadFile(f"{path}: reading .npy files needs NumPy") from None
    try:
        return numpy.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise BadFile(f"{path}: {error}") from None


def _number(text: str) -> float:
    """A missing value is a NaN: the report counts it."""
    return float(text) if text.strip() else math.nan


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _csv(path: str) -> tuple[list[list[float]], Optional[list[str]]]:
    names = None
    rows: list[list[float]] = []
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            for cells in reader:
                if not cells:
                    continue
                if names is None and not rows and not all(map(_is_number, cells)):
                    names = cells
                    continue
                _append(rows, cells, len(names) if names else None, f"{path}, line {reader.line_num}")
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadFile(f"{path}, line {reader.line_num + 1}: {error}") from None
    if not rows:
        raise BadFile(f"{path}: there are no rows of numbers")
    return rows, names


def _append(rows: list[list[float]], cells: list[str], columns: Optional[int], where: str) -> None:
    expected = len(rows[0]) if rows else columns
    if expected is not None and len(cells) != expected:
        raise BadFile(f"{where}: {len(cells)} values, where {expected} are expected")
    for i, text in enumerate(cells):
        if not _is_number(text):
            raise BadFile(f"{where}, column {i + 1}: {text!r} is not a number")
    rows.append([_number(text) for text in cells])
