# SPDX-License-Identifier: MIT
"""What callers pass as tensors, and how answers become the same kind of thing again.

NumPy and torch are looked for only when a tensor is one of theirs. Values are never copied, unless they lie in memory
in a way that no wire form can say (strides), or are on another device.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Union

if TYPE_CHECKING:
    import numpy

Buffer = Union[bytes, bytearray, memoryview]

#: The API's names of NumPy's types, by kind and size. normd takes the floats; it refuses the others in its own words.
DATATYPES = {"f2": "FP16", "f4": "FP32", "f8": "FP64", "i1": "INT8", "i2": "INT16", "i4": "INT32", "i8": "INT64",
             "u1": "UINT8", "u2": "UINT16", "u4": "UINT32", "u8": "UINT64", "b1": "BOOL"}
TYPES = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BF16": "<u2"}  # of answers; bfloat16 is not a type of NumPy's


@dataclass(frozen=True)
class Values:
    """A tensor in memory: ``array`` is a NumPy array, of uint16 for bfloat16. ``restore`` makes of an answer's array
    what the caller passed: a NumPy array, or a torch tensor on the same device."""

    array: numpy.ndarray[Any, Any]
    bfloat16: bool
    restore: Callable[[numpy.ndarray[Any, Any]], Any]


def _same(array: numpy.ndarray[Any, Any]) -> Any:
    return array


def _of_torch(tensor: Any) -> Values:
    torch = sys.modules["torch"]
    held = tensor.detach().cpu()
    bfloat16 = held.dtype == torch.bfloat16
    if bfloat16:
        held = held.contiguous().view(torch.int16)

    def restore(array: numpy.ndarray[Any, Any]) -> Any:
        if bfloat16:
            return torch.from_numpy(array.view("int16")).view(torch.bfloat16).to(tensor.device)
        return torch.from_numpy(array).to(tensor.device)

    array = held.resolve_neg().resolve_conj().numpy()
    return Values(array.view("uint16") if bfloat16 else _numbers(array), bfloat16, restore)


def _of_array(array: numpy.ndarray[Any, Any]) -> Values:
    dtype = array.dtype
    if dtype.kind == "V" and dtype.name == "bfloat16":  # that of ml_dtypes
        return Values(array.view("uint16"), True, lambda answer: answer.view(dtype))
    return Values(_numbers(array), False, _same)


def _numbers(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The array, if its type has a name in the API."""
    if array.dtype.str[1:] not in DATATYPES:
        raise TypeError(f"an array of {array.dtype} is not a tensor: pass float16, float32, float64 or bfloat16")
    return array


def datatype(values: Values) -> str:
    """The API's name of the type."""
    return "BF16" if values.bfloat16 else DATATYPES[values.array.dtype.str[1:]]


def values(x: Any) -> Values | None:
    """The tensor in memory; None if it is a list or a number, which goes as JSON."""
    if isinstance(x, (list, tuple, int, float)):
        return None
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(x) is numpy.ndarray:
        return _of_array(x)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return _of_torch(x)
    if not hasattr(x, "__array__"):
        raise TypeError(f"a tensor must be a list, a NumPy array, a torch tensor or have __array__, "
                        f"and this is a {type(x).__name__}")
    import numpy as np
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("normd would not see the mask of a masked array: pass its data, and mask= as an argument")
    return _of_array(np.asarray(x))


def lay_out(array: numpy.ndarray[Any, Any], fortran: bool) -> tuple[memoryview, bool]:
    """The bytes of an array, and whether they are in Fortran order, which they are only if ``fortran`` allows it."""
    import numpy
    is_fortran = fortran and array.flags.f_contiguous and not array.flags.c_contiguous
    # ascontiguousarray would give a 0-d array a dimension.
    ordered = array.T if is_fortran else array if array.flags.c_contiguous else array.copy(order="C")
    return ordered.reshape(-1).view(numpy.uint8).data, is_fortran


def view(buffer: memoryview, offset: int, shape: tuple[int, ...], dtype: str,
         copy: bool) -> numpy.ndarray[Any, Any]:
    """An array over the buffer from ``offset`` on; a copy if it is asked for, or if the values are not aligned."""
    import numpy
    count = 1
    for extent in shape:
        count *= extent
    array = numpy.frombuffer(buffer, dtype, count, offset).reshape(shape) if count else numpy.empty(shape, dtype)
    return array.copy() if copy or not array.flags.aligned else array


def plain(value: Any) -> Any:
    """NumPy's and torch's numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def json_text(document: Any) -> bytes:
    """JSON, in whose lists there may be numbers and arrays of NumPy's and torch's."""
    return json.dumps(document, default=_for_json, separators=(",", ":")).encode()


def _for_json(value: Any) -> Any:
    if not hasattr(value, "tolist"):
        raise TypeError(f"JSON has no form for a {type(value).__name__}")
    return plain(value)


def flat_list(x: Any) -> Any:
    """Parameters and moments, which go as JSON: a nested list of floats."""
    if isinstance(x, (int, float)):
        return [x]
    if isinstance(x, (list, tuple)):
        return list(x)
    found = values(x)
    assert found is not None
    if found.bfloat16:
        raise TypeError("statistics and parameters are float64: pass them as float32 or float64, not bfloat16")
    return found.array.reshape(-1).tolist() if found.array.ndim == 0 else found.array.tolist()


def column(numbers: list[float]) -> Any:
    """Numbers of an answer: a NumPy array of float64, or where NumPy is not installed the list."""
    try:
        import numpy
    except ImportError:
        return numbers
    return numpy.array(numbers, dtype=numpy.float64)
