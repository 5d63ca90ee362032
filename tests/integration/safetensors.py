# SPDX-License-Identifier: MIT
"""safetensors files, written and read by the format's description alone: what normd writes is compared with it byte
for byte. (huggingface/safetensors: README.md; for what that leaves open, safetensors/src/tensor.rs. Debian has no
package of that library.)"""

import json
import math
import struct

HEADER_MAX = 100_000_000

# The library sorts tensors by dtype, the last of these first.
DTYPES = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
          "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
          "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}
RANKS = {dtype: rank for rank, dtype in enumerate(DTYPES)}

# The formats of struct for the types that normd exports.
FORMATS = {"F64": "d", "F32": "f", "I64": "q", "U64": "Q", "F16": "e"}


class Invalid(Exception):
    """The file is not a safetensors file."""


def pack(dtype, values):
    """Values as the bytes of a tensor."""
    return struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)


def unpack(dtype, raw):
    """The values in the bytes of a tensor."""
    return list(struct.unpack(f"<{len(raw) * 8 // DTYPES[dtype]}{FORMATS[dtype]}", raw))


def quoted(text):
    """A string as serde_json writes it: only what JSON demands is escaped, with \\u00xx in lower case."""
    return json.dumps(text, ensure_ascii=False)


def header_of(tensors, metadata=None):
    """The header of `tensors`, {name: (dtype, shape, bytes)}, with its length, and the names in the order of the data.
    `metadata` is {key: text} or None."""
    names = sorted(tensors, key=lambda name: (-RANKS[tensors[name][0]], name.encode()))
    members = []
    if metadata is not None:
        pairs = ",".join(f"{quoted(key)}:{quoted(metadata[key])}"
                         for key in sorted(metadata, key=lambda key: key.encode()))
        members.append('"__metadata__":{' + pairs + "}")
    at = 0
    for name in names:
        dtype, shape, raw = tensors[name]
        assert len(raw) * 8 == DTYPES[dtype] * math.prod(shape), name
        extents = ",".join(map(str, shape))
        end = at + len(raw)
        members.append(f'{quoted(name)}:{{"dtype":"{dtype}","shape":[{extents}],"data_offsets":[{at},{end}]}}')
        at = end
    text = ("{" + ",".join(members) + "}").encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, names


def save(tensors, metadata=None):
    """The file of `tensors` and `metadata` (header_of)."""
    header, names = header_of(tensors, metadata)
    return header + b"".join(tensors[name][2] for name in names)


def frame(header, data=b""):
    """A file with this header, a text, bytes or what JSON makes of anything else, right or wrong."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header)) + header + data


def demand(holds, message):
    if not holds:
        raise Invalid(message)


def object_once(pairs):
    keys = [key for key, value in pairs]
    demand(len(set(keys)) == len(keys), "a name is given twice")
    return dict(pairs)


def is_list_of_wholes(values):
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 64 for value in values)


def load_header(raw):
    """The header's object and the offset of the data."""
    demand(len(raw) >= 8, "no length")
    length, = struct.unpack_from("<Q", raw)
    demand(length <= HEADER_MAX and 8 + length <= len(raw), "the length is wrong")
    text = raw[8:8 + length]
    demand(text[:1] == b"{" and text.rstrip(b" ").endswith(b"}"), "not an object padded with spaces")
    try:
        header = json.loads(text.decode(), object_pairs_hook=object_once,
                            parse_constant=lambda word: demand(False, word))
    except ValueError as error:
        raise Invalid(str(error)) from error
    return header, 8 + length


def load(raw):
    """The tensors, {name: (dtype, shape, bytes)} in the order of the header, and the metadata, or None. Raises Invalid
    for a file that breaks any rule of the format."""
    header, start = load_header(raw)
    metadata = header.pop("__metadata__", None)
    demand(metadata is None or (isinstance(metadata, dict) and
                                all(isinstance(text, str) for text in metadata.values())), "metadata are strings")
    for name, entry in header.items():
        demand(isinstance(entry, dict) and {"dtype", "shape", "data_offsets"} <= entry.keys(), f"{name} lacks a member")
        demand(isinstance(entry["dtype"], str) and entry["dtype"] in DTYPES, f"the dtype of {name}")
        demand(is_list_of_wholes(entry["shape"]), f"the shape of {name}")
        demand(is_list_of_wholes(entry["data_offsets"]) and len(entry["data_offsets"]) == 2, f"the place of {name}")
    at = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        product = 1
        for extent in entry["shape"]:
            product *= extent
            demand(product < 1 << 64, f"the shape of {name} overflows")
        bits = product * DTYPES[entry["dtype"]]
        demand(bits < 1 << 64 and bits % 8 == 0, f"the size of {name}")
        demand(begin == at and end - begin == bits // 8, f"the place of {name}")
        at = end
    demand(start + at == len(raw), "the data does not end with the file")
    data = raw[start:]
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items()}, metadata
