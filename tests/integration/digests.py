# SPDX-License-Identifier: MIT
"""The digests of layers and versions, computed as docs/DIGESTS.md says, from what GET answers and nothing else."""

import hashlib
import json
import struct

from reference import flatten


def u64(n):
    return struct.pack("<Q", n)


def text(s):
    return u64(len(s.encode())) + s.encode()


def number(x):
    return b"d" + struct.pack("<d", x)


def count(n):
    """A whole number that may be above 2^53; None: null."""
    return b"n" if n is None else b"u" + u64(n)


def value(v):
    """A JSON value, all of whose numbers are float64. Members that are null or false are left out."""
    if v is None:
        return b"n"
    if v is True:
        return b"t"
    if isinstance(v, (int, float)):
        return number(v)
    if isinstance(v, str):
        return b"s" + text(v)
    if isinstance(v, list):
        members = [value(m) for m in v]
        if len(members) > 1 and len(set(members)) == 1:
            return b"r" + u64(len(members)) + members[0]
        return b"l" + u64(len(members)) + b"".join(members)
    members = sorted((k.encode(), m) for k, m in v.items() if m is not None and m is not False)
    return b"o" + u64(len(members)) + b"".join(u64(len(k)) + k + value(m) for k, m in members)


def numbers(v):
    """A list of the layer's, flat or nested, or a tensor; null where it has no values."""
    if isinstance(v, dict):
        v = v["data"]
    return value(flatten(v) if v else None)


def layer_bytes(definition, parameters, statistics=None):
    """The canonical form, from the answers of GET layer, GET parameters and, of layers that track, GET statistics."""
    definition = {k: v for k, v in definition.items() if k != "frozen"}
    statistics = statistics or {}
    own_count = statistics.get("count")
    return (b"normd layer 1" + value(definition) + numbers(parameters["weight"]) + numbers(parameters["bias"]) +
            numbers(statistics.get("running_mean")) + numbers(statistics.get("running_var")) +
            count(statistics.get("num_batches_tracked")) +
            (value(own_count) if definition.get("averaging") == "decayed" else count(own_count)))


def version_bytes(layers):
    """The canonical form of a version, from the digests of its layers by their names."""
    return b"normd version 1" + b"".join(text(name) + bytes.fromhex(digest.removeprefix("sha256:"))
                                         for name, digest in sorted(layers.items(), key=lambda m: m[0].encode()))


def digest(canonical):
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def layer_digest(definition, parameters, statistics=None):
    return digest(layer_bytes(definition, parameters, statistics))


def version_digest(layers):
    return digest(version_bytes(layers))


def loads(raw):
    """JSON whose whole numbers stay exact and whose zero keeps its sign: -0 is a whole number to Python."""
    return json.loads(raw, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def ask_layer(client, path):
    """The digest of the layer at this path as a client computes it. Not to be used while the layer changes."""
    statistics = client.request("GET", path + "/statistics")
    return layer_digest(loads(client.request("GET", path).raw), loads(client.request("GET", path + "/parameters").raw),
                        loads(statistics.raw) if statistics.status == 200 else None)
