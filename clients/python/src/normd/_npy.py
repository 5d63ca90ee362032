# SPDX-License-Identifier: MIT
"""NumPy's .npy files: a header that says type, order and shape, and the values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ._tensors import Buffer, Values, lay_out, view
from .errors import Error

if TYPE_CHECKING:
    import numpy

MEDIA_TYPE = "application/x-npy"
_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGN = 64
# As normd writes it. V2, two bytes without a type, is bfloat16.
_HEADER = re.compile(rb"\{'descr': '([<|][fV][248])', 'fortran_order': False, 'shape': \(([0-9, ]*)\), *\} *\n")


def encode(values: Values) -> list[Buffer]:
    """The header, and the array's own memory."""
    memory, fortran = lay_out(values.array, True)
    descr = "|V2" if values.bfloat16 else values.array.dtype.str
    extents = "".join(f"{extent}, " for extent in values.array.shape)
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({extents}), }}".encode()
    padded = text + b" " * (-(len(_MAGIC) + 2 + len(text) + 1) % _ALIGN) + b"\n"
    return [_MAGIC + len(padded).to_bytes(2, "little") + padded, memory]


def decode(buffer: memoryview, copy: bool = False) -> list[numpy.ndarray[Any, Any]]:
    """The arrays of the files, one after another, over the buffer itself. bfloat16 is uint16."""
    arrays = []
    offset = 0
    while offset < len(buffer):
        begin = offset + len(_MAGIC) + 2
        end = begin + int.from_bytes(buffer[begin - 2:begin], "little")
        header = _HEADER.fullmatch(buffer[begin:end])
        if header is None or buffer[offset:begin - 2] != _MAGIC:
            raise Error("the answer is not a .npy file as normd writes it")
        descr, extents = header.groups()
        shape = tuple(int(extent) for extent in extents.replace(b" ", b"").split(b",") if extent)
        dtype = "<u2" if descr[1:2] == b"V" else descr.decode()
        array = view(buffer, end, shape, dtype, copy)
        offset = end + array.nbytes
        arrays.append(array)
    return arrays
