# SPDX-License-Identifier: MIT
"""gzip and deflate, on requests and on answers; what is damaged, and what is too large once it is unpacked."""

import gzip
import json
import unittest
import zlib

from normd import DaemonTest


def raw_deflate(data):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return z.compress(data) + z.flush()


PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "GZIP": gzip.compress, "deflate": zlib.compress}
LARGE = 20000


class Codings(DaemonTest):
    daemon_args = ("--max-body", "1MiB")

    def setUp(self):
        self.put_layer()
        self.body = json.dumps({"data": [[i / 7, -i] for i in range(50)]}).encode()
        self.call("POST", self.path("bn", "train"), self.body)

    def infer(self, body, headers=None, args=()):
        return self.call("POST", self.path("bn", "infer"), body, headers, 200, args)

    def test_requests(self):
        expected = self.infer(self.body).raw
        for name, pack in PACK.items():
            self.assertEqual(self.infer(pack(self.body), {"Content-Encoding": name}).raw, expected)
        self.assertEqual(self.infer(raw_deflate(self.body), {"Content-Encoding": "deflate"}).raw, expected)
        self.assertEqual(self.infer(self.body, {"Content-Encoding": "identity"}).raw, expected)
        # Members one after another, and a body whose length is not known before.
        two = gzip.compress(self.body[:100]) + gzip.compress(self.body[100:])
        self.assertEqual(self.infer(two, {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}).raw, expected)

    def test_training_is_the_same(self):
        a = self.call("POST", self.path("bn", "train"), gzip.compress(self.body), {"Content-Encoding": "gzip"}).json
        self.assertEqual(a["num_batches_tracked"], 2)

    def test_answers(self):
        body = json.dumps({"shape": [LARGE, 2], "data": [i / 1000 for i in range(2 * LARGE)]})
        for path, question in ((self.path("bn", "infer"), self.body), (self.path("bn", "infer"), body)):
            plain = self.call("POST", path, question)
            self.assertNotIn("content-encoding", plain.headers)
            for coding, unpack in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
                answer = self.call("POST", path, question, {"Accept-Encoding": coding})
                self.assertEqual(answer.headers["content-encoding"], coding)
                self.assertEqual(answer.headers["vary"], "Accept-Encoding")
                self.assertLess(len(answer.raw), len(plain.raw) * 0.8)
                self.assertEqual(unpack(answer.raw), plain.raw)
            self.assertEqual(self.call("POST", path, question, None, None, ("--compressed",)).raw, plain.raw)

    def test_small_answers_stay_as_they_are(self):
        body = {"data": [[1, 2]]}
        self.assertNotIn("content-encoding", self.infer(body, {"Accept-Encoding": "gzip"}).headers)
        answer = self.infer(body, {"Accept-Encoding": "gzip, identity;q=0"})
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(answer.raw), self.infer(body).raw)

    def test_statistics_and_lists_too(self):
        self.call("PUT", self.path("wide"), {"kind": "batch_norm", "num_features": 500}, status=201)
        plain = self.call("GET", self.path("wide", "statistics"))
        answer = self.call("GET", self.path("wide", "statistics"), None, {"Accept-Encoding": "gzip"})
        self.assertEqual(gzip.decompress(answer.raw), plain.raw)

    def test_not_acceptable(self):
        for bad in ("identity;q=0", "*;q=0", "br, *;q=0"):
            self.refused("not_acceptable", 406, "POST", self.path("bn", "infer"), self.body, {"Accept-Encoding": bad})

    def test_unknown_codings(self):
        for bad in ("br", "zstd", "compress", "gzip, gzip", "gzip, deflate"):
            answer = self.refused("unsupported_media_type", 415, "POST", self.path("bn", "train"), self.body,
                                  {"Content-Encoding": bad})
            self.assertIn("gzip or deflate", answer.json["detail"])

    def test_damaged(self):
        before = self.call("GET", self.path("bn", "statistics")).json
        packed = gzip.compress(self.body)
        flipped = bytearray(packed)
        flipped[-6] ^= 1
        for bad in (self.body, packed[:-1], packed[:20], packed + b"x", bytes(flipped), b"x", zlib.compress(self.body)):
            answer = self.refused("bad_json", 400, "POST", self.path("bn", "train"), bad, {"Content-Encoding": "gzip"})
            self.assertIn("gzip", answer.json["detail"])
        for bad in (self.body, zlib.compress(self.body)[:-1], zlib.compress(self.body) + b"x"):
            self.refused("bad_json", 400, "POST", self.path("bn", "train"), bad, {"Content-Encoding": "deflate"})
        self.refused("bad_npy", 400, "POST", self.path("bn", "train"), b"\x1f\x8bxxxxxxxxxxxxx",
                     {"Content-Encoding": "gzip", "Content-Type": "application/x-npy"})
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json, before)

    def test_offsets_count_what_was_unpacked(self):
        answer = self.refused("bad_json", 400, "POST", self.path("bn", "train"),
                              gzip.compress(b'{"data":[[1,2],[3,x]]}'),
                              {"Content-Encoding": "gzip"})
        self.assertEqual(answer.json["offset"], 18)

    def test_bombs(self):
        """A thousand to one: refused when the limit is passed, in little time and memory."""
        bomb = gzip.compress(b'{"data":' + b" " * (200 << 20), 9)
        self.assertLess(len(bomb), 1 << 20)
        numbers = gzip.compress(b'{"data":[' + b"0," * (50 << 20), 9)
        values = gzip.compress(b"\x93NUMPY\x01\x00\x76\x00" +
                               b"{'descr': '<f4', 'fortran_order': False, 'shape': (262144, 1), }"
                               .ljust(117) + b"\n" + bytes(1 << 20))
        before = self.daemon.memory("VmHWM")
        for body in (bomb, numbers):
            answer = self.refused("body_too_large", 413, "POST", self.path("bn", "infer"), body,
                                  {"Content-Encoding": "gzip"})
        answer = self.refused("body_too_large", 413, "POST", self.path("bn", "infer"), values,
                              {"Content-Encoding": "gzip", "Content-Type": "application/x-npy"})
        self.assertIn("--max-body", answer.json["detail"])
        self.assertLess(self.daemon.memory("VmHWM") - before, 16 << 20)


if __name__ == "__main__":
    unittest.main()
