#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_safetensors.py FOLDER: writes safetensors files in the layout of the reference library, with
tests/integration/safetensors.py. The unit tests read each of them and write it again."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "integration"))

import safetensors  # noqa: E402


def counted(dtype, shape, start=0):
    """A tensor whose bytes count from `start`."""
    bits = safetensors.DTYPES[dtype]
    for extent in shape:
        bits *= extent
    return dtype, shape, bytes((start + i) % 251 for i in range(bits // 8))


def batch_norm(name, features):
    """The tensors of a layer as PyTorch's state_dict names them."""
    values = [i / 8 - 1 for i in range(features)]
    tensors = {part: ("F32", [features], safetensors.pack("F32", [value * scale for value in values]))
               for part, scale in (("weight", 1), ("bias", 2), ("running_mean", 4), ("running_var", 8))}
    tensors["num_batches_tracked"] = "I64", [], safetensors.pack("I64", [features * 1000])
    return {f"{name}.{part}": tensor for part, tensor in tensors.items()}


# The name of each file, and what is in it.
FILES = {
    "empty": ({}, None),
    "empty_metadata": ({}, {}),
    "metadata": ({}, {"format": "pt", "": "", "b": "\0\b\f\n\r\t\x1f\x7f\"\\/", "a": "é€𝄞", "é": "{}", "a b": "x" * 300,
                      "B": "1"}),
    "every_dtype": ({f"{name}{dtype.lower()}": counted(dtype, [2, 4, 1], i)
                     for i, dtype in enumerate(safetensors.DTYPES) for name in "ba"}, None),
    "no_values": ({"a": counted("F32", [0]), "b": counted("F32", [2, 0, 3]), "c": counted("F32", []),
                   "d": counted("U8", [0]), "e": counted("U8", [1])}, {"k": "v"}),
    "names": ({name: counted("F16", [i + 1], i) for i, name in enumerate(
        ["a", "a.b", "a-b", "B", "ab", "", "é", "\0", "\x7f", "\ue000", "𝄞", '"', "\\u0000", "a\0", "__metadata",
         "n" * 200])}, None),
    "layers": ({**batch_norm("layer1.0.bn1", 3), **batch_norm("bn1", 1), "fc.weight": counted("BF16", [2, 3])},
               {"format": "pt"}),
    "many": ({f"t.{i}": counted(("F64", "F32", "I64")[i % 3], [i % 4]) for i in range(300)}, None),
}


def main(folder):
    for name, (tensors, metadata) in FILES.items():
        with open(os.path.join(folder, name + ".safetensors"), "wb") as f:
            f.write(safetensors.save(tensors, metadata))


if __name__ == "__main__":
    main(sys.argv[1])
