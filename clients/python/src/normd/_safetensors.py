# SPDX-License-Identifier: MIT
"""safetensors files: the length of a header, the header in JSON, and the values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping

from . import _tensors
from ._tensors import Buffer

if TYPE_CHECKING:
    import numpy

MEDIA_TYPE = "application/octet-stream"
_LENGTH_BYTES = 8
_NAMES = {"f2": "F16", "f4": "F32", "f8": "F64", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u1": "U8",
          "b1": "BOOL"}
_TYPES = {name: "<" + kind if kind[1] != "1" else "|" + kind for kind, name in _NAMES.items()}


def encode(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> list[Buffer]:
    """A file of arrays, torch tensors or lists (float64), whose values are their own memory."""
    import numpy
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    memories: list[Buffer] = []
    offset = 0
    for name, tensor in tensors.items():
        values = _tensors.values(tensor) or _tensors.values(numpy.array(tensor, dtype=numpy.float64))
        assert values is not None
        array = values.array
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        kind = array.dtype.str[1:]
        if not values.bfloat16 and kind not in _NAMES:
            raise TypeError(f"{name}: safetensors files have no type for {array.dtype}")
        memory, _ = _tensors.lay_out(array, False)
        header[name] = {"dtype": "BF16" if values.bfloat16 else _NAMES[kind], "shape": list(array.shape),
                        "data_offsets": [offset, offset + memory.nbytes]}
        offset += memory.nbytes
        memories.append(memory)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(_LENGTH_BYTES, "little") + text, *memories]


def decode(buffer: memoryview) -> dict[str, numpy.ndarray[Any, Any]]:
    """The arrays by name, over the buffer itself. Only the types that normd writes."""
    begin = _LENGTH_BYTES + int.from_bytes(buffer[:_LENGTH_BYTES], "little")
    header = json.loads(bytes(buffer[_LENGTH_BYTES:begin]))
    return {name: _tensors.view(buffer, begin + entry["data_offsets"][0], tuple(entry["shape"]),
                                _TYPES[entry["dtype"]], False)
            for name, entry in header.items() if name != "__metadata__"}
