# SPDX-License-Identifier: MIT
"""A large body or answer costs the memory of its tensor, not of its text, in any form."""

import gzip
import http.client
import random
import struct
import unittest

from normd import BUILD, PATIENCE, Daemon, wait_for

VALUES = 10_000_000
ROW = 100
TENSOR_BYTES = 4 * VALUES
LARGE_PAGE = 2 << 20  # of large blocks, the last page may be used only in part
LIMIT = 1.5 * TENSOR_BYTES


def rows(count):
    """This many different rows of float32 numbers, about ten characters each, without brackets."""
    r = random.Random(20240229)
    return [",".join("%.7f" % r.gauss(0, 1) for _ in range(ROW)).encode() for _ in range(count)]


@unittest.skipIf(any(name in BUILD for name in ("asan", "tsan", "coverage")), "a sanitizer's memory is not normd's")
class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = rows(1000)

    def setUp(self):
        # The peak is the process's for good: each test has a daemon of its own.
        self.daemon = Daemon("--max-body", "128MiB")
        self.addCleanup(self.daemon.close)
        path = "/v1/models/m/layers/bn"
        self.daemon.curl("PUT", path, {"kind": "batch_norm", "num_features": ROW})
        self.daemon.curl("PUT", path + "/statistics",
                         {"running_mean": [0] * ROW, "running_var": [1] * ROW, "num_batches_tracked": 1})
        self.infer(b'{"data":[[' + self.rows[0] + b"]]}")
        self.idle = self.daemon.memory("VmRSS")

    def infer(self, body, headers=None, length=None, path="/v1/models/m/layers/bn/infer"):
        """Posts bytes, or pieces of them that come to `length`; returns the answer's headers and its size,
        of which nothing is kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=120 * PATIENCE)
        headers = dict(headers or {})
        if length is not None:
            headers["Content-Length"] = str(length)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        size, first = 0, b""
        while piece := answer.read(1 << 20):
            first = first or piece[:200]
            size += len(piece)
        self.assertEqual(answer.status, 200, first)
        connection.close()
        return answer, size

    def assert_peak(self, limit=LIMIT):
        used = self.daemon.memory("VmHWM") - self.idle
        self.assertLessEqual(used, limit, f"{used / TENSOR_BYTES:.2f} times the tensor")
        self.assertGreater(used, TENSOR_BYTES / 2, "the tensor was not even there: is the right process measured?")
        # The exchange ends after its last byte was sent, so the client may be here first.
        wait_for(lambda: self.daemon.memory("VmRSS") - self.idle <= TENSOR_BYTES / 4, "its memory is given back",
                 10 * PATIENCE)

    def json_pieces(self, first, between, last):
        """A document of VALUES numbers, about 100 MB, in pieces of a thousand rows."""
        block = between.join(self.rows)
        count = VALUES // ROW // len(self.rows)
        pieces = [first + block] + [between + block] * (count - 1) + [last]
        return pieces, sum(map(len, pieces))

    def test_flat_json(self):
        pieces, length = self.json_pieces(b'{"shape":[%d,%d],"datatype":"FP32","data":[' % (VALUES // ROW, ROW), b",",
                                          b"]}")
        self.assertGreater(length, 99_000_000)
        _, size = self.infer(iter(pieces), length=length)
        self.assertGreater(size, 80_000_000)
        self.assert_peak()

    def test_nested_json_without_a_shape(self):
        pieces, length = self.json_pieces(b'{"datatype":"FP32","data":[[', b"],[", b"]]}")
        self.infer(iter(pieces), length=length)
        self.assert_peak()

    def test_data_before_its_datatype(self):
        """May cost a little over twice the tensor: values are doubles until the body's end names their datatype."""
        for last in (b"]]}", b']],"datatype":"FP32"}'):
            pieces, length = self.json_pieces(b'{"data":[[', b"],[", last)
            self.infer(iter(pieces), length=length)
            self.assert_peak(TENSOR_BYTES * 2.25 + LARGE_PAGE)

    def test_gzip_both_ways(self):
        pieces, _ = self.json_pieces(b'{"datatype":"FP32","data":[[', b"],[", b"]]}")
        packed = gzip.compress(b"".join(pieces), 1)
        answer, size = self.infer(packed, {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"})
        self.assertEqual(answer.getheader("Content-Encoding"), "gzip")
        self.assertGreater(size, 1_000_000)
        self.assert_peak()

    def test_npy_in_fortran_order_and_json_out(self):
        head = b"{'descr': '>f4', 'fortran_order': True, 'shape': (%d, %d), }" % (VALUES // ROW, ROW)
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117) + b"\n"
        block = struct.pack(">250000f", *(i / 1000 for i in range(250000)))
        pieces = [head] + [block] * (VALUES // 250000)
        _, size = self.infer(iter(pieces), {"Content-Type": "application/x-npy", "Accept": "application/json"},
                             sum(map(len, pieces)))
        self.assertGreater(size, 40_000_000)
        self.assert_peak()

    def test_the_open_inference_protocols_bytes(self):
        document = b'{"inputs":[{"name":"bn","shape":[%d,%d],"datatype":"FP32",' \
            b'"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}' % (
                VALUES // ROW, ROW, TENSOR_BYTES)
        block = struct.pack("<250000f", *(i / 1000 for i in range(250000)))
        pieces = [document] + [block] * (VALUES // 250000)
        _, size = self.infer(iter(pieces), {"Inference-Header-Content-Length": str(len(document))},
                             sum(map(len, pieces)), "/v2/models/m/infer")
        self.assertGreater(size, TENSOR_BYTES)
        self.assert_peak()

    def test_the_open_inference_protocols_numbers(self):
        pieces, length = self.json_pieces(
            b'{"inputs":[{"name":"bn","shape":[%d,%d],"datatype":"FP32","data":[' % (VALUES // ROW, ROW), b",", b"]}]}")
        _, size = self.infer(iter(pieces), length=length, path="/v2/models/m/infer")
        self.assertGreater(size, 80_000_000)
        self.assert_peak()


if __name__ == "__main__":
    unittest.main()
