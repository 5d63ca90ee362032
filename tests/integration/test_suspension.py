# SPDX-License-Identifier: MIT
"""A connection is suspended once and resumed once, whatever of the body
libmicrohttpd holds already and however late the resume is."""

import gzip
import os
import socket
import unittest

import safetensors
from normd import BUILD, PATIENCE, Daemon, at_once

CLIENTS = 16
CHUNK = 264


class LateDaemon(Daemon):
    program = os.path.join(BUILD, "tests/daemons/late_resume")


class LateResume(unittest.TestCase):
    """A daemon that resumes a moment after the work is done: the event loop may be about to do anything in between."""

    def setUp(self):
        self.daemon = LateDaemon("--log-level", "warn")
        self.addCleanup(self.daemon.close)
        self.daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm", "num_features": 2})
        self.daemon.curl("POST", "/v1/models/m/layers/bn/train", {"data": [[1, 2], [3, 4]]})

    def converse(self, requests):
        """Each on one connection, in turn; their status codes."""
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=60 * PATIENCE) as s:
            answers = s.makefile("rb")
            codes = []
            for request in requests:
                s.sendall(request)
                codes.append(int(answers.readline().split()[1]))
                length = 0
                while (line := answers.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)
            return codes

    def chunked(self, body, headers=b""):
        head = (b"POST /v1/models/m/layers/bn/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" +
                headers + b"\r\n")
        pieces = [body[i:i + CHUNK] for i in range(0, len(body), CHUNK)]
        return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    def test_packed_bodies_in_small_chunks(self):
        """Each chunk comes to 270 kB, which a computing thread takes while the next chunks are in the buffer."""
        body = gzip.compress(b'{"data":[[1,2],[3,4]]' + b" " * (40 << 20) + b"}")
        request = self.chunked(body, b"Content-Encoding: gzip\r\n")
        codes = at_once([lambda: self.converse([request]) for _ in range(CLIENTS)])
        self.assertEqual(codes, [[200]] * CLIENTS)

    def test_long_tensors_in_small_chunks(self):
        """The computing threads do the steps of a tensor this long, before and after the store;
        more requests are in the buffer."""
        body = b'{"data":[' + b",".join([b"[1,2]"] * 20000) + b"]}"
        request = self.chunked(body).replace(b"infer", b"train?output=false")
        codes = at_once([lambda: self.converse([request] * 2) for _ in range(CLIENTS)])
        self.assertEqual(codes, [[200] * 2] * CLIENTS)

    def test_files_in_small_chunks(self):
        """A file waits for the store behind its header, and before for a computing thread, because the header is large;
        the next chunks, and another file, are in the buffer."""
        tensors = {f"layers.{i}.weight": ("F32", [1], bytes(4)) for i in range(1000)}
        for name in ("running_mean", "running_var"):
            tensors["bn." + name] = ("F32", [2], safetensors.pack("F32", [1, 2]))
        request = self.chunked(safetensors.save(tensors)).replace(
            b"POST /v1/models/m/layers/bn/infer", b"PUT /v1/models/m/state.safetensors")
        codes = at_once([lambda: self.converse([request] * 2) for _ in range(CLIENTS)])
        self.assertEqual(codes, [[200] * 2] * CLIENTS)

    def test_training(self):
        body = b'{"data":[[1,2],[3,4]]}'
        request = (b"POST /v1/models/m/layers/bn/train HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        codes = at_once([lambda: self.converse([request] * 64) for _ in range(CLIENTS)])
        self.assertEqual(codes, [[200] * 64] * CLIENTS)
