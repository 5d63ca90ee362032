# SPDX-License-Identifier: MIT
"""Bodies for the end-to-end benchmark: float32 tensors as JSON and .npy, and how answers are read and compared."""

import array
import ast
import json
import math
import random
import struct

JSON = "application/json"
NPY = "application/x-npy"


def normal(shape, seed):
    """Standard normal float32 values."""
    source = random.Random(seed)
    return array.array("f", (source.gauss(0, 1) for _ in range(math.prod(shape))))


def shortest(value):
    """The shortest decimal that reads back to the same float32. Seven digits do for most, nine for all."""
    for digits in range(6, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return text
    raise AssertionError(value)


def encode_json(shape, values):
    head = json.dumps({"shape": shape, "datatype": "FP32"}, separators=(",", ":"))
    return f'{head[:-1]},"data":[{",".join(map(shortest, values))}]}}'.encode()


def encode_npy(shape, values):
    """Format 1.0, as numpy.save writes it: magic, version,
    header padded so that the data starts at a multiple of 64."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes()


def decode_json(body):
    answer = json.loads(body)
    return answer["shape"], answer["data"]


def decode_npy(body):
    size = struct.unpack_from("<H", body, 8)[0]
    header = ast.literal_eval(body[10 : 10 + size].decode())
    if body[6:8] != b"\x01\x00" or header["descr"] != "<f4" or header["fortran_order"]:
        raise ValueError(f"not the .npy that was expected: {header}")
    return list(header["shape"]), array.array("f", body[10 + size :])


ENCODE = {JSON: encode_json, NPY: encode_npy}
DECODE = {JSON: decode_json, NPY: decode_npy}


def difference(form, a, b, rtol=1e-4, atol=1e-5):
    """What is unlike in two answers, in words; None when they agree."""
    (shape_a, a), (shape_b, b) = DECODE[form](a), DECODE[form](b)
    if shape_a != shape_b or len(a) != len(b):
        return f"shapes {shape_a} and {shape_b}, {len(a)} and {len(b)} values"
    for i, (x, y) in enumerate(zip(a, b)):
        if not abs(x - y) <= atol + rtol * abs(y):
            return f"value {i} is {x} and {y}"
    return None
