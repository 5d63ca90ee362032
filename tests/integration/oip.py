# SPDX-License-Identifier: MIT
"""The Open Inference Protocol as its clients speak it: makes bodies of calls, and takes answers apart."""

import json

import numpy

HEADER = "Inference-Header-Content-Length"
DTYPES = {"FP16": numpy.float16, "FP32": numpy.float32, "FP64": numpy.float64}
NAMES = {numpy.dtype(dtype): name for name, dtype in DTYPES.items()}


def call(inputs, *, binary=True, outputs=None, parameters=None, **members):
    """(body, headers) of a call. inputs: {name: array}; binary: True, or the names of those that are sent as bytes.
    outputs: None, or names, or objects."""
    listed, behind = [], b""
    for name, values in inputs.items():
        values = numpy.asarray(values)
        tensor = {"name": name, "shape": list(values.shape), "datatype": NAMES[values.dtype]}
        if binary is True or (binary and name in binary):
            raw = values.tobytes()
            tensor["parameters"], behind = {"binary_data_size": len(raw)}, behind + raw
        else:
            tensor["data"] = values.ravel().tolist()
        listed.append(tensor)
    body = {"inputs": listed, **members}
    if outputs is not None:
        body["outputs"] = [{"name": each} if isinstance(each, str) else each for each in outputs]
    if parameters is not None:
        body["parameters"] = parameters
    document = json.dumps(body).encode()
    return document + behind, {HEADER: str(len(document))} if behind or binary is True else {}


def results(answer):
    """{name: (array, parameters)} of an answer, in its order; {}: an output without parameters. The bytes behind its
    JSON must be those that it says."""
    length = int(answer.headers.get(HEADER.lower(), len(answer.raw)))
    document, rest = json.loads(answer.raw[:length]), answer.raw[length:]
    found = {}
    for output in document["outputs"]:
        dtype, parameters = DTYPES[output["datatype"]], output.get("parameters", {})
        if "binary_data_size" in parameters:
            assert "data" not in output
            raw, rest = rest[:parameters["binary_data_size"]], rest[parameters["binary_data_size"]:]
            values = numpy.frombuffer(raw, dtype)
        else:
            values = numpy.array(output["data"], dtype)
        found[output["name"]] = values.reshape(output["shape"]), parameters
    assert rest == b"", rest
    return found
