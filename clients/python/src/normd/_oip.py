# SPDX-License-Identifier: MIT
"""The Open Inference Protocol's bodies: JSON, and behind it the values of the binary tensors."""

from __future__ import annotations

import json
from typing import Any, Mapping

from . import _tensors
from ._tensors import Buffer, Values

HEADER_BYTES = "Inference-Header-Content-Length"
MEDIA_TYPE = "application/octet-stream"


def _in_json(name: str, x: Any) -> dict[str, Any]:
    """A list needs a shape here, which its nesting tells; its numbers are doubles. The daemon refuses ragged ones."""
    shape = []
    inner = x
    while isinstance(inner, (list, tuple)):
        shape.append(len(inner))
        inner = _tensors.plain(inner[0]) if inner else None
    return {"name": name, "shape": shape, "datatype": "FP64", "data": x}


def _in_bytes(name: str, values: Values) -> tuple[dict[str, Any], memoryview]:
    array = values.array
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    memory, _ = _tensors.lay_out(array, False)
    return {"name": name, "shape": list(array.shape), "datatype": _tensors.datatype(values),
            "parameters": {"binary_data_size": memory.nbytes}}, memory


def encode(tensors: Mapping[str, Any], found: Mapping[str, Values | None],
           parameters: Mapping[str, Any]) -> tuple[list[Buffer], int]:
    """The body, and the length of its JSON. An output is binary if its input is."""
    inputs, outputs, memories = [], [], []
    for name, values in found.items():
        if values is None:
            inputs.append(_in_json(name, tensors[name]))
        else:
            described, memory = _in_bytes(name, values)
            inputs.append(described)
            memories.append(memory)
        outputs.append({"name": name, "parameters": {"binary_data": values is not None}})
    head = _tensors.json_text({"parameters": dict(parameters), "inputs": inputs, "outputs": outputs})
    return [head, *memories], len(head)


def decode(body: memoryview, head_bytes: int | None, found: Mapping[str, Values | None],
           copy: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer's document, and the outputs by name, each of its input's kind."""
    document = json.loads(bytes(body[:head_bytes]))
    offset = head_bytes if head_bytes is not None else len(body)
    outputs = {}
    for output in document["outputs"]:
        values = found.get(output["name"])
        if values is None:
            outputs[output["name"]] = output["data"]
            continue
        array = _tensors.view(body, offset, tuple(output["shape"]), _tensors.TYPES[output["datatype"]], copy)
        offset += array.nbytes
        outputs[output["name"]] = values.restore(array)
    return document, outputs
