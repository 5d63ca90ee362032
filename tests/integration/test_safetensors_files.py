# SPDX-License-Identifier: MIT
"""The reference for safetensors files (safetensors.py) itself, and the files that it made for the unit tests."""

import os
import subprocess
import sys
import tempfile
import unittest

import safetensors
from normd import ROOT

FOLDER = os.path.join(ROOT, "tests/vectors/safetensors")

# What the library itself writes (safetensors/src/tensor.rs, mod tests).
FLOATS = safetensors.pack("F32", range(6))
WRITTEN = [
    ({"attn.0": ("F32", [1, 2, 3], FLOATS)}, None,
     b'@\0\0\0\0\0\0\0{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}' + FLOATS),
    ({"attn0": ("F32", [1, 1, 2, 3], FLOATS)}, None,
     b'H\0\0\0\0\0\0\0{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       ' + FLOATS),
    ({"attn.0": ("F4", [1, 2], b"\0")}, None,
     b'@\0\0\0\0\0\0\0{"attn.0":{"dtype":"F4","shape":[1,2],"data_offsets":[0,1]}}    \0'),
    ({}, None, b"\x08\0\0\0\0\0\0\0{}      "),
    ({}, {"framework": "pt"}, b'(\0\0\0\0\0\0\0{"__metadata__":{"framework":"pt"}}     '),
]

ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


class Files(unittest.TestCase):
    def test_the_reference_writes_what_the_library_writes(self):
        for tensors, metadata, expected in WRITTEN:
            self.assertEqual(safetensors.save(tensors, metadata), expected)
            self.assertEqual(safetensors.load(expected), (tensors, metadata))

    def test_the_files_are_what_their_script_writes(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, os.path.join(ROOT, "tests/make_safetensors.py"), folder], check=True)
            self.assertEqual(sorted(os.listdir(folder)), sorted(os.listdir(FOLDER)))
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), "rb") as ours, open(os.path.join(FOLDER, name), "rb") as kept:
                    self.assertEqual(ours.read(), kept.read(), name)

    def test_every_file_is_read_and_written_again(self):
        for name in os.listdir(FOLDER):
            with open(os.path.join(FOLDER, name), "rb") as f:
                raw = f.read()
            self.assertEqual(safetensors.save(*safetensors.load(raw)), raw, name)

    def test_the_reference_refuses(self):
        good = safetensors.frame({"t": ONE}, b"1234")
        safetensors.load(good)
        bad = [good[:end] for end in range(len(good))]
        bad += [good + b"5", safetensors.frame(b"{}\0"), safetensors.frame(" {}")]
        for header in ({"t": {**ONE, "dtype": "F33"}}, {"t": {**ONE, "shape": [2]}}, {"t": {**ONE, "shape": [True]}},
                       {"t": {**ONE, "data_offsets": [1, 5]}}, {"t": {**ONE, "data_offsets": [0, 4, 4]}},
                       {"t": {}}, {"t": ONE, "u": ONE}, {"t": ONE, "__metadata__": {"a": 1}},
                       '{"t":1,"t":1}', {"t": {**ONE, "shape": [1 << 32, 1 << 32, 0], "data_offsets": [0, 0]}}):
            bad.append(safetensors.frame(header, b"1234"))
        for raw in bad:
            with self.subTest(raw=raw), self.assertRaises(safetensors.Invalid):
                safetensors.load(raw)


if __name__ == "__main__":
    unittest.main()
