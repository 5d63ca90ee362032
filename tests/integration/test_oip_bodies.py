# SPDX-License-Identifier: MIT
"""
Bodies of the Open Inference Protocol: where the binary part of a body begins and what is refused about that,
types and codings, and answers of every size: their lengths, and JSON and bytes in one answer.
"""

import gzip
import json
import socket
import unittest
import zlib

import numpy

from normd import PATIENCE, ClientTest
from oip import HEADER, call, results

RANDOM = numpy.random.default_rng(1515)
BYTES, JSON = "application/octet-stream", "application/json"
A_FEW, MANY = 3, 5000  # rows of 4 values: MANY in JSON, or in bytes, are written in blocks


def rows(n):
    return RANDOM.normal(2, 3, (n, 4)).astype("<f4")


class OipBodies(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in "abc":
            cls.daemon.curl("PUT", f"/v1/models/m/layers/{name}", {"kind": "batch_norm", "num_features": 4})
            cls.daemon.curl("POST", f"/v1/models/m/layers/{name}/train", {"data": rows(8).tolist()})
        cls.path = "/v2/models/m/infer"

    def infer(self, inputs, headers=None, status=200, **how):
        body, sent = call(inputs, **how)
        return self.ask("POST", self.path, body, {**sent, **(headers or {})}, status)

    def raw(self, head, body):
        """The answer to a head as it is: status, headers in one text, body."""
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=60 * PATIENCE) as s:
            s.sendall(f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n".encode())
            s.sendall(body)
            answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().lower(), body

    def state(self):
        return [self.ask("GET", f"/v1/models/m/layers/{name}").json for name in "abc"]

    # What is sent.

    def test_header_lengths_that_lie(self):
        body, headers = call({"a": rows(A_FEW)}, parameters={"mode": "train"})
        right, before = int(headers[HEADER]), self.state()
        for value, says in (
            ("-1", "digits only"), ("+1", "digits only"), ("1.5", "digits only"), ("0x20", "digits only"),
            ("ten", "digits only"), (f"{right},{right}", "digits only"), ("", "digits only"),
            ("0", "raw tensor bytes is not supported"), ("00", "raw tensor bytes is not supported"),
            (str(len(body) + 1), f"but the body has {len(body)} bytes"),
            ("2147483648", "but the body has"), ("4294967296", "but the body has"),
            ("18446744073709551615", "but the body has"), (str((1 << 64) + right), "but the body has"),
            ("9" * 60, "but the body has"),
        ):
            with self.subTest(value=value):
                answer = self.ask("POST", self.path, body, {HEADER: value}, 400)
                self.assertEqual(answer.code, "bad_parameter")
                self.assertIn(says, answer.json["error"])
        for value in (right - 1, right + 1, 1, len(body)):
            with self.subTest(value=value):  # the JSON ends elsewhere, or what follows it has another length
                answer = self.ask("POST", self.path, body, {HEADER: str(value)}, 400)
                self.assertIn(answer.code, ("bad_json", "bad_tensor"))
        self.assertEqual(self.state(), before)
        self.assertEqual(self.ask("POST", self.path, body, {HEADER: f"00{right}"}).status, 200)

    def test_two_header_lengths(self):
        body, headers = call({"a": rows(A_FEW)})
        one = f"{HEADER}: {headers[HEADER]}\r\n"
        for two in (one + one.lower(), one + f"{HEADER}: 1\r\n"):
            status, _, problem = self.raw(f"{two}Content-Length: {len(body)}\r\n", body)
            self.assertEqual((status, json.loads(problem)["error"]), (400, f"there is more than one {HEADER}"))

    def test_a_body_that_is_shorter_than_it_said(self):
        """In chunks or coded, its length is not known before: what comes is counted."""
        body, headers = call({"a": rows(A_FEW)})
        n, packed = len(body) + 1, gzip.compress(body)
        chunks = f"{HEADER}: {n}\r\nTransfer-Encoding: chunked\r\n"
        status, _, problem = self.raw(chunks, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        self.assertEqual(status, 400)
        self.assertIn("bad_", json.loads(problem)["code"])
        answer = self.ask("POST", self.path, packed, {HEADER: str(n), "Content-Encoding": "gzip"}, 400)
        self.assertIn("bad_", answer.code)
        answer = self.ask("POST", self.path, packed, {HEADER: str(1 << 40), "Content-Encoding": "gzip"}, 400)
        self.assertIn("the body may have at most 67108864 bytes", answer.json["error"])
        # A header that is right is more than the coded body has.
        x = numpy.zeros((4, 4), "<f4")
        body, headers = call({"a": x}, id=" " * 500)
        packed = gzip.compress(body)
        self.assertLess(len(packed), int(headers[HEADER]))
        self.ask("POST", self.path, packed, {**headers, "Content-Encoding": "gzip"})

    def test_types_of_bodies(self):
        body, headers = call({"a": rows(A_FEW)})
        want = self.infer({"a": rows(A_FEW)}).headers["content-type"]
        for kind in (None, "", BYTES, JSON, "application/json; charset=utf-8", "text/plain; charset=utf-8",
                     "application/x-www-form-urlencoded", "Application/Octet-Stream"):
            sent = {**headers} if kind is None else {**headers, "Content-Type": kind}
            self.assertEqual(self.ask("POST", self.path, body, sent).headers["content-type"], want, kind)
        for kind in ("application/x-npy", "text/html", "image/png", "application/vnd.safetensors"):
            answer = self.ask("POST", self.path, body, {**headers, "Content-Type": kind}, 415)
            self.assertIn("application/json and application/octet-stream", answer.json["error"])

    def test_paths(self):
        x = rows(A_FEW)
        body, headers = call({"a": x})
        want = self.ask("POST", self.path, body, headers).raw
        for end in ("/", "?", "?a=b", "/?a=b&a=b&%zz", "?version=7"):
            self.assertEqual(self.ask("POST", self.path + end, body, headers).raw, want, end)

    def test_other_methods(self):
        for method in ("GET", "HEAD", "PUT"):
            answer = self.ask(method, self.path, status=405)
            self.assertEqual(answer.headers["allow"], "POST, OPTIONS")

    # What is answered.

    def test_what_is_accepted(self):
        x = rows(A_FEW)
        for accept in (BYTES, JSON, "*/*", "application/*", f"text/html, {BYTES};q=0.1", "application/problem+json"):
            for binary in (True, False):  # the body says in which form the answer is
                answer = self.infer({"a": x}, {"Accept": accept}, parameters={"binary_data_output": binary})
                self.assertEqual(answer.headers["content-type"], BYTES if binary else JSON)
                self.assertEqual(HEADER.lower() in answer.headers, binary)
        for accept in ("text/html", "application/x-npy", f"{BYTES};q=0, {JSON};q=0"):
            answer = self.infer({"a": x}, {"Accept": accept}, status=406)
            self.assertIn("application/json or application/octet-stream", answer.json["error"])

    def check(self, answer, want, binary):
        """The answer has these values, and says where its bytes begin if it has some. `binary`: which are bytes."""
        self.assertEqual(HEADER.lower() in answer.headers, bool(binary))
        self.assertEqual(answer.headers["content-type"], BYTES if binary else JSON)
        got = results(answer)
        self.assertEqual(list(got), list(want))
        for name, (values, parameters) in got.items():
            self.assertEqual("binary_data_size" in parameters, name in binary, name)
            self.assertEqual(values.tobytes(), want[name].tobytes(), name)

    def each_mix(self):
        """(inputs, outputs, the names of those that are bytes): small and large, JSON and bytes in any order."""
        for n in (A_FEW, MANY):
            inputs = {name: rows(n) for name in "abc"}
            for binary in ("", "abc", "b", "ac"):
                yield inputs, [{"name": name, "parameters": {"binary_data": name in binary}} for name in "abc"], binary

    def test_mixed_answers(self):
        for inputs, outputs, binary in self.each_mix():
            want = {name: values for name, (values, _) in results(self.infer(inputs, parameters={
                "binary_data_output": True})).items()}
            answer = self.infer(inputs, outputs=outputs)
            self.check(answer, want, binary)
            small = len(inputs["a"]) == A_FEW
            if binary or small:  # otherwise the length of its text is not known before
                self.assertEqual(int(answer.headers["content-length"]), len(answer.raw))
            else:
                self.assertEqual(answer.headers["transfer-encoding"], "chunked")

    def test_coded_answers(self):
        """The codings are over the whole answer; where its bytes begin is counted without them."""
        for inputs, outputs, binary in self.each_mix():
            plain = self.infer(inputs, outputs=outputs)
            for coding in ("gzip", "deflate"):
                answer = self.infer(inputs, {"Accept-Encoding": coding}, outputs=outputs)
                coded = answer.headers.get("content-encoding") == coding
                self.assertTrue(coded or len(inputs["a"]) == A_FEW)
                self.assertEqual(zlib.decompress(answer.raw, 32 + 15) if coded else answer.raw, plain.raw)
                self.assertEqual(answer.headers.get(HEADER.lower()), plain.headers.get(HEADER.lower()))
                self.assertEqual(answer.headers["content-type"], plain.headers["content-type"])

    def test_a_client_that_takes_little_at_a_time(self):
        for inputs, outputs, _ in self.each_mix():
            body, headers = call(inputs, outputs=outputs)
            want = self.ask("POST", self.path, body, headers).raw
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
                s.settimeout(60 * PATIENCE)
                s.connect(("127.0.0.1", self.daemon.port))
                s.sendall(f"POST {self.path} HTTP/1.0\r\n{HEADER}: {headers[HEADER]}\r\nContent-Length: {len(body)}"
                          "\r\n\r\n".encode() + body)
                raw = b"".join(iter(lambda s=s: s.recv(3333), b""))
            self.assertEqual(raw.partition(b"\r\n\r\n")[2], want)

    def test_a_client_that_stops_in_the_middle(self):
        """Of its body, in JSON or in bytes: nothing changes, and the daemon goes on."""
        before = self.state()
        body, headers = call({"a": rows(MANY), "b": rows(MANY)}, parameters={"mode": "train"})
        for sent in (0, 1, int(headers[HEADER]) - 1, int(headers[HEADER]), int(headers[HEADER]) + 9, len(body) - 1):
            with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=60 * PATIENCE) as s:
                s.sendall(f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\n{HEADER}: {headers[HEADER]}\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:sent])
                s.shutdown(socket.SHUT_WR)
                while s.recv(1 << 16):
                    pass
        self.assertEqual(self.state(), before)


if __name__ == "__main__":
    unittest.main()
