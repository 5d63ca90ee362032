# SPDX-License-Identifier: MIT
"""Data from files, for ``report``: .npy, or .csv with or without a line of names."""

from __future__ import annotations

import array
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


def _numbers(cells: list[str], where: str) -> list[float]:
    try:
        return [*map(float, cells)]  # most rows: the fastest way
    except ValueError:
        numbers = []
    for i, text in enumerate(cells):
        try:
            numbers.append(_number(text))
        except ValueError:
            hint = "; expected commas between the values" if ";" in text or "\t" in text else ""
            raise BadFile(f"{where}, column {i + 1}: {text!r} is not a number{hint}") from None
    return numbers


def _csv(path: str) -> tuple[Any, Optional[list[str]]]:
    names: Optional[list[str]] = None
    columns = 0
    values = array.array("d")
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            for cells in filter(None, reader):
                where = f"{path}, line {reader.line_num}"
                if columns and len(cells) != columns:
                    raise BadFile(f"{where}: {len(cells)} values, where {columns} are expected")
                try:
                    values.extend(_numbers(cells, where))
                except BadFile:
                    if columns:
                        raise
                    names = cells
                columns = len(cells)
        except csv.Error as error:
            raise BadFile(f"{path}, line {reader.line_num + 1}: {error}") from None
        except UnicodeDecodeError:
            raise BadFile(f"{path}, line {reader.line_num + 1}: this is not text in UTF-8") from None
    if not values:
        raise BadFile(f"{path}: there are no rows of numbers")
    return _rows(values, columns), names


def _rows(values: array.array[float], columns: int) -> Any:
    """(rows, columns) in float64; without NumPy a list."""
    try:
        import numpy
    except ImportError:
        return [values[i:i + columns].tolist() for i in range(0, len(values), columns)]
    return numpy.frombuffer(values).reshape(-1, columns)
