# SPDX-License-Identifier: MIT
"""
Answers of several tensors, with text before and between them, which are written as the client takes them: the bytes are
the same however large the answer is, in a coding, and to a client that takes little at a time. backward answers three
tensors in any form.
"""

import io
import json
import socket
import unittest
import zlib

import numpy

import npy
from normd import PATIENCE, ClientTest

RANDOM = numpy.random.default_rng(15)
GRADIENTS = "grad_input", "grad_weight", "grad_bias"
SMALL, LARGE = 3, 5000  # features; of the larger, the answer has more than 16,384 values and is in blocks
NPY = {"Content-Type": npy.TYPE}


def arrays(raw):
    """The arrays of .npy files behind each other."""
    stream = io.BytesIO(raw)
    found = []
    while stream.tell() < len(raw):
        found.append(numpy.load(stream, allow_pickle=False))
    return found


class AnswerParts(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tensors = {}
        for features in (SMALL, LARGE):
            x, g = (RANDOM.standard_normal((4, features)).astype("<f4") for _ in range(2))
            cls.tensors[features] = x, g
            cls.daemon.curl("PUT", f"/v1/models/m/layers/bn{features}",
                            {"kind": "batch_norm", "num_features": features})

    def url(self, features):
        return f"/v1/models/m/layers/bn{features}/backward"

    def as_json(self, features):
        x, g = self.tensors[features]
        return json.dumps({"input": {"shape": x.shape, "data": x.ravel().tolist()},
                           "grad_output": {"shape": g.shape, "data": g.ravel().tolist()}})

    def as_npy(self, features):
        return b"".join(npy.save(each) for each in self.tensors[features])

    def test_the_same_values_in_each_form(self):
        for features in (SMALL, LARGE):
            answer = self.ask("POST", self.url(features), self.as_npy(features), NPY)
            self.assertEqual(int(answer.headers["content-length"]), len(answer.raw))
            document = self.ask("POST", self.url(features), self.as_json(features))
            self.assertEqual("content-length" in document.headers, features == SMALL)
            self.assertEqual(tuple(document.json), GRADIENTS)
            for name, array in zip(GRADIENTS, arrays(answer.raw), strict=True):
                t = document.json[name]
                self.assertEqual(t["shape"], list(array.shape), name)
                values = numpy.array(t["data"], array.dtype)
                self.assertEqual(values.tobytes(), array.tobytes(), name)
            self.assertEqual([len(document.json[name]["data"]) for name in GRADIENTS],
                             [4 * features, features, features])

    def test_codings(self):
        for features in (SMALL, LARGE):
            for body, headers in ((self.as_npy(features), NPY), (self.as_json(features), {})):
                plain = self.ask("POST", self.url(features), body, headers).raw
                for coding in ("gzip", "deflate"):
                    answer = self.ask("POST", self.url(features), body, {**headers, "Accept-Encoding": coding})
                    coded = answer.headers.get("content-encoding") == coding
                    self.assertEqual(coded, features == LARGE)
                    self.assertEqual(zlib.decompress(answer.raw, 32 + 15) if coded else answer.raw, plain)

    def test_without_a_parameter(self):
        self.call("PUT", "/v1/models/m/layers/plain", {"kind": "batch_norm", "num_features": 3, "affine": False})
        document = self.ask("POST", "/v1/models/m/layers/plain/backward", self.as_json(SMALL)).json
        self.assertEqual([document[name] for name in GRADIENTS[1:]], [None, None])
        self.assertEqual(document["grad_input"]["shape"], [4, 3])
        answer = self.ask("POST", "/v1/models/m/layers/plain/backward", self.as_npy(SMALL), NPY)
        self.assertEqual([array.shape for array in arrays(answer.raw)], [(4, 3)])
        self.call("PUT", "/v1/models/m/layers/no_bias", {"kind": "layer_norm", "normalized_shape": 3, "bias": False})
        document = self.ask("POST", "/v1/models/m/layers/no_bias/backward", self.as_json(SMALL)).json
        self.assertEqual((document["grad_weight"]["shape"], document["grad_bias"]), ([3], None))

    def test_empty_tensors(self):
        empty = {"shape": [0, 3], "data": []}
        document = self.ask("POST", self.url(SMALL), {"input": empty, "grad_output": empty}).json
        self.assertEqual(document["grad_input"], {"shape": [0, 3], "datatype": "FP32", "data": []})
        self.assertEqual([document[name]["data"] for name in GRADIENTS[1:]], [[0, 0, 0]] * 2)
        x = npy.save(numpy.empty((0, 3), "<f4"))
        self.assertEqual([a.shape for a in arrays(self.ask("POST", self.url(SMALL), x + x, NPY).raw)],
                         [(0, 3), (3,), (3,)])

    def test_a_client_that_takes_little_at_a_time(self):
        """Blocks end anywhere in texts and tensors."""
        for body, headers in ((self.as_npy(LARGE), NPY), (self.as_json(LARGE).encode(), {})):
            want = self.ask("POST", self.url(LARGE), body, headers).raw
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
                s.settimeout(60 * PATIENCE)
                s.connect(("127.0.0.1", self.daemon.port))
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                s.sendall((f"POST {self.url(LARGE)} HTTP/1.0\r\n{head}Content-Length: {len(body)}\r\n\r\n").encode() +
                          body)
                raw = b"".join(iter(lambda s=s: s.recv(1777), b""))
            self.assertEqual(raw.partition(b"\r\n\r\n")[2], want)


if __name__ == "__main__":
    unittest.main()
