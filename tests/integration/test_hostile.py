# SPDX-License-Identifier: MIT
"""Clients that mean harm, beside those of other files: framing (test_framing.py), heads (test_heads.py), slow clients
(test_slow_clients.py), hang-ups (test_hangups.py), memory (attacks.py), connections (test_connections.py,
test_addresses.py). Whatever they do, others are served, and nothing is left of them."""

import json
import socket
import struct
import unittest

from normd import BUILD, PATIENCE, DaemonTest, at_once, parse_answer, wait_for

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


def receive_answer(s):
    """An answer that has a Content-Length, or b"" if the connection ended before."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = s.recv(65536)
        if not piece:
            return b""
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-len")))
    while len(body) < length:
        piece = s.recv(65536)
        if not piece:
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


def reset(s):
    """Ends a connection without a word to the other side's answer."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


class Hostile(DaemonTest):
    daemon_args = ("--client-timeout", "5")

    def setUp(self):
        self.descriptors = self.daemon.descriptors()

    def connect(self, port=0, receive_bytes=None):
        s = socket.socket()
        s.settimeout(30 * PATIENCE)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_bytes is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        s.bind(("127.0.0.1", port))
        s.connect(("127.0.0.1", self.daemon.port))
        return s

    def ask(self, request):
        s = self.connect()
        s.sendall(request)
        answer = receive_answer(s)
        s.close()
        self.assertNotEqual(answer, b"", "no answer")
        return parse_answer(answer)

    def assert_nothing_is_left(self):
        self.assertEqual(self.ask(GET).status, 200)
        wait_for(lambda: self.daemon.descriptors() <= self.descriptors, "all connections are closed")

    def test_many_short_connections(self):
        """Which end in every way, after any part of a request."""
        def run():
            for n in range(400):
                s = self.connect()
                s.sendall((b"", GET[:20], GET, GET + GET[:-1])[n % 4])
                if n // 4 % 2:
                    reset(s)
                else:
                    s.close()

        at_once([run] * 4)
        self.assert_nothing_is_left()

    def test_a_source_port_that_comes_again(self):
        """An answer is for the connection that asks, not for one before it from the same port."""
        s = self.connect()
        port = s.getsockname()[1]
        for n in range(200):
            s.sendall(GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: number-%d\r\n\r\n" % n))
            if n % 2:
                answer = parse_answer(receive_answer(s))
                self.assertEqual(answer.headers["x-request-id"], f"number-{n}")
            reset(s)
            s = self.connect(port)
        s.close()
        self.assert_nothing_is_left()

    def test_resets_in_the_middle_of_an_answer(self):
        self.put_layer(definition={"kind": "batch_norm", "num_features": 50000})
        request = b"GET " + self.path("bn", "parameters").encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"

        def run():
            for n in range(25):
                s = self.connect(receive_bytes=4096)
                s.sendall(request)
                self.assertEqual(len(s.recv(1 + n)), 1 + n)
                reset(s)

        at_once([run] * 4)
        self.assert_nothing_is_left()

    def test_a_chunk_for_each_byte(self):
        body = json.dumps({"kind": "layer_norm", "normalized_shape": [2], "data": [[1, 2]] * 5000}).encode()
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        answer = self.ask(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                          b"Connection: close\r\n\r\n" + chunks)
        self.assertEqual((answer.status, len(answer.json["data"])), (200, 5000))

    def test_no_chunk_after_the_last(self):
        """A second end is the beginning of a request that is none."""
        s = self.connect()
        s.sendall(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  b"0\r\n\r\n" * 2000)
        answers = b""
        try:
            while piece := s.recv(65536):
                answers += piece
        except ConnectionError:
            pass
        s.close()
        statuses = {line.split()[1] for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")}
        self.assertEqual(statuses, {b"400"})

    def test_queries_of_very_many_items(self):
        for query in ("&" * 3900, "a&" * 1900, "a=b&" * 950, "limit=1&" * 480, "%61=%61&" * 400, "=" * 3900,
                      "&".join(f"x{i}=1" for i in range(500))):
            answer = self.ask(b"GET /v1/models?%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % query.encode())
            self.assertEqual(answer.status, 200 if query.strip("&") == "" else 400, query[:40])

    def test_percent_encoding(self):
        """No spelling of a path gets to another place than the plain one."""
        self.put_layer("m")
        model = f"/v1/models/{self.model}"
        for path, status in (
                (model, 200), (model.replace("t", "%74"), 200), (model.replace("t", "%2574"), 400),
                (model + "%2Flayers%2Fm", 400), (model + "%00", 400), (model + "%0d%0aX:%20y", 400), (model + "%", 400),
                (model + "%7", 400), (model + "%7g", 400), (model + "%u0074", 400), (model + "%c0%ae", 400),
                (model + "%ef%bb%bf", 400), ("/v1/models/%2e%2e", 400), ("/v1/models/..", 400),
                ("/v1/models/%2e%2e%2fmodels", 400), (model + "/../../models", 404), ("/v1%2fmodels", 404),
                ("/v1/../v1/models", 404), ("/./v1/models", 404), ("//v1/models", 404), ("/v1//models", 404),
                ("/v1/models;a=b", 404), ("/v1/models%3flimit=1", 404), ("/V1/models", 404)):
            answer = self.ask(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            self.assertEqual(answer.status, status, f"{path}: {answer}")

    def test_expectations_that_no_body_follows(self):
        head = (b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                b"Expect: 100-continue\r\n\r\n")
        clients = [self.connect() for _ in range(300)]
        for s in clients:
            s.sendall(head)
        for s in clients:
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 100 "))
        self.assertEqual(self.ask(GET).status, 200)
        for n, s in enumerate(clients):
            reset(s) if n % 2 else s.close()
        self.assert_nothing_is_left()

    def test_heads_without_an_end(self):
        """They are refused when they are too long, not when they end."""
        s = self.connect()
        sent = 0
        try:
            s.sendall(GET[:-2])
            while sent < 64 << 20:
                sent += s.send(b"X-%d: y\r\n" % sent)
        except ConnectionError:
            pass
        self.assertLess(sent, 32 << 20)
        s.close()
        self.assert_nothing_is_left()

    def test_requests_whose_answers_nobody_reads(self):
        """Thousands in a row on one connection: it is not read any further, and costs no memory."""
        before = self.daemon.memory("VmRSS")
        clients = [self.connect(receive_bytes=4096) for _ in range(10)]
        flood = memoryview(GET * 400000)
        for s in clients:
            s.settimeout(0.2 * PATIENCE)
            sent = 0
            with self.assertRaises(socket.timeout):
                while sent < len(flood):
                    sent += s.send(flood[sent:])
        self.assertEqual(self.ask(GET).status, 200)
        if not any(name in BUILD for name in ("asan", "tsan")):  # a sanitizer keeps what is freed
            self.assertLess(self.daemon.memory("VmRSS") - before, 32 << 20)
        for s in clients:
            reset(s)
        self.assert_nothing_is_left()


if __name__ == "__main__":
    unittest.main()
