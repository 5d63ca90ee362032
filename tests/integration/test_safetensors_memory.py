# SPDX-License-Identifier: MIT
"""A file of 1 GB, of which the model has next to nothing: it is imported in its header's memory and 8 MiB."""

import json
import socket
import struct
import unittest

import safetensors
from normd import BUILD, PATIENCE, Daemon, parse_answer

MIB = 1 << 20
OTHERS = 100_000
FILE_BYTES = 1_000_000_000


def large_file(others, data_bytes, ours):
    """The head of a file, the number of zeros that follow, and its end: `others` tensors, each with a name that a
    layer's could have, and behind them those of `ours`."""
    each = data_bytes // others // 4 * 4
    entries = []
    for i in range(others):
        name = f"model.encoder.layer.{i // 2}.attention.{('weight', 'bias')[i % 2]}"
        entries.append(f'"{name}":{{"dtype":"F32","shape":[{each // 4}],"data_offsets":[{each * i},{each * (i + 1)}]}}')
    at = each * others
    end = b""
    for name, (dtype, shape, raw) in ours.items():
        entries.append(f'"{name}":' + json.dumps({"dtype": dtype, "shape": shape,
                                                  "data_offsets": [at, at + len(raw)]}))
        at += len(raw)
        end += raw
    header = ("{" + ",".join(entries) + "}").encode()
    return struct.pack("<Q", len(header)) + header, each * others, end


@unittest.skipIf(any(name in BUILD for name in ("asan", "tsan", "coverage")), "a sanitizer's memory is not normd's")
class Memory(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)

    def test_a_file_that_is_larger_than_its_header(self):
        ours = {"bn.running_mean": ("F32", [4], safetensors.pack("F32", [1, 2, 3, 4])),
                "bn.running_var": ("F32", [4], safetensors.pack("F32", [1, 1, 1, 1]))}
        head, zeros, end = large_file(OTHERS, FILE_BYTES, ours)
        size = len(head) + zeros + len(end)
        self.assertGreater(size, FILE_BYTES)
        self.daemon.curl("GET", "/")
        with open(f"/proc/{self.daemon.process.pid}/clear_refs", "w") as f:
            f.write("5") # the peak is what is resident now
        before = self.daemon.memory("VmHWM")
        with socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE) as raw:
            raw.sendall(f"PUT /v1/models/m/state.safetensors HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        f"Content-Length: {size}\r\n\r\n".encode() + head)
            block = bytes(4 * MIB)
            while zeros > 0:
                raw.sendall(block[:zeros])
                zeros -= len(block[:zeros])
            raw.sendall(end)
            answer = parse_answer(b"".join(iter(lambda: raw.recv(MIB), b"")))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["layers"], [{"name": "bn", "created": True, "revision": 1}])
        self.assertEqual(len(answer.json["left_out"]), OTHERS)
        self.assertLess(self.daemon.memory("VmHWM") - before, len(head) + 8 * MIB)


if __name__ == "__main__":
    unittest.main()
