# SPDX-License-Identifier: MIT
"""
Heads of every size: each request gets exactly one whole answer, and what is refused has stored nothing. A head and its
answer's head share a connection's memory, so room for the answer is certain before anything is stored.
"""

import json
import re
import socket
import time
import unittest

from normd import PATIENCE, Daemon, wait_for

BODY = b'{"data":[[1,2],[3,4]]}'
ROWS = b'{"data":[[1,2],[3,4],[5,7],[8,8]]}'
HEAD_MAX, FIELDS_MAX, ASIDE_MAX, ANSWER_HEAD_MAX = 8000, 100, 1024, 900
# From a byte to 40 kB, closer where the memory of a connection ends, of which targets were never answered.
SIZES = [*range(1, 40000, 619), *range(15600, 15800, 40), *range(16260, 16400, 10)]
LAYER = b"/v1/models/m/layers/bn"


def train(headers=b"", query=b"?output=false", line_before=b"", body=BODY, close=True):
    return (line_before + b"POST " + LAYER + b"/train" + query + b" HTTP/1.1\r\nHost: localhost\r\n" + headers +
            (b"Connection: close\r\n" if close else b"") + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def train_chunked(extension=b"", trailers=b""):
    return (b"POST " + LAYER + b"/train?output=false HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n%x%s\r\n%s\r\n0\r\n%s\r\n" % (len(BODY), extension, BODY, trailers))


def header(name, n):
    return name + b": " + b"a" * n + b"\r\n"


# What grows, and the request with `n` bytes of it.
GROWING = {
    "a header": lambda n: train(header(b"X-Foo", n)),
    "a mask in the target": lambda n: train(query=b"?output=false&mask=" + b",".join([b"1"] * (n // 2))),
    "parameters in the target": lambda n: train(query=b"?output=false" + b"&a" * (n // 2)),
    "the path": lambda n: train(query=b"/" + b"a" * n),
    "headers": lambda n: train(b"a:b\r\n" * (n // 5)),
    "cookies": lambda n: train(b"Cookie: " + b"a=1;" * (n // 4) + b"\r\n"),
    "cookies without a value": lambda n: train(b"Cookie: " + b"a;" * (n // 2) + b"\r\n"),
    "trailers": lambda n: train_chunked(trailers=b"X: a\r\n" * (n // 6)),
    "a trailer": lambda n: train_chunked(trailers=header(b"X", n)),
    "a chunk's extension": lambda n: train_chunked(extension=b";" + b"a" * n),
    **{name: (lambda name: lambda n: train(header(name.encode(), n)))(name) for name in
       ("X-Request-Id", "traceparent", "If-Match", "Idempotency-Key", "Accept", "Accept-Encoding", "Content-Type",
        "Authorization")},
}


def split(raw):
    """The whole answers in what a connection got: (status, head's length, body); anything else is an AssertionError."""
    answers = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        assert re.match(rb"HTTP/1\.1 \d{3} ", head), raw[:200]
        length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head + b"\r\nContent-Length: 0")[1])
        body, raw = rest[:length], rest[length:]
        status = int(head.split()[1])
        assert len(body) == length, head
        if status >= 400:
            assert b"application/problem+json" in head and json.loads(body)["status"] == status, (head, body)
        answers.append((status, len(head) + 4, body))
    return answers


class Heads(unittest.TestCase):
    pair = None  # the certificate of a daemon that serves TLS

    def setUp(self):
        self.daemon = Daemon(pair=self.pair)
        self.addCleanup(self.daemon.close)
        self.daemon.curl("PUT", LAYER.decode(), {"kind": "batch_norm", "num_features": 2})

    def talk(self, request, step=None):
        """All answers of a connection that the request ends. It is sent at once, or in pieces of so many bytes."""
        with self.daemon.connect(timeout=20 * PATIENCE) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw = b""
            try:
                for at in range(0, len(request), step or len(request)):
                    s.sendall(request[at:at + (step or len(request))])
                    time.sleep(0.002 if step else 0)
                while piece := s.recv(65536):
                    raw += piece
            except ConnectionError:  # a client that sends more than is read may be reset, after its answer
                raw += s.recv(65536)
            return split(raw)

    def batches(self):
        return self.daemon.curl("GET", LAYER.decode() + "/statistics").json["num_batches_tracked"]

    def test_every_size(self):
        for name, request in GROWING.items():
            with self.subTest(name):
                before = self.batches()
                answers = [self.talk(request(n)) for n in SIZES]
                self.assertEqual([len(a) for a in answers], [1] * len(SIZES))
                statuses = {a[0][0] for a in answers}
                self.assertEqual(self.batches() - before, sum(a[0][0] == 200 for a in answers))
                self.assertTrue(statuses & {414, 431}, statuses)
                self.assertLessEqual(statuses, {200, 400, 404, 406, 414, 415, 422, 431})

    def test_the_bounds(self):
        room = HEAD_MAX - len(train(header(b"X-Foo", 0))) + len(BODY)
        self.assertEqual([self.talk(train(header(b"X-Foo", room + n)))[0][0] for n in (0, 1)], [200, 431])
        fields = FIELDS_MAX - 3
        self.assertEqual([self.talk(train(b"a: b\r\n" * (fields + n)))[0][0] for n in (0, 1)], [200, 431])
        # Both at once.
        room = HEAD_MAX - len(train(b"a: b\r\n" * (fields - 1) + header(b"X-Foo", 0))) + len(BODY)
        self.assertEqual(self.talk(train(b"a: b\r\n" * (fields - 1) + header(b"X-Foo", room)))[0][0], 200)
        self.assertEqual(self.talk(train_chunked(trailers=header(b"X", ASIDE_MAX - 5)))[0][0], 200)
        long = self.talk(train(query=b"?output=false&mask=" + b",".join([b"1"] * 7840)))[0]
        self.assertEqual((long[0], json.loads(long[2])["code"]), (414, "target_too_long"))

    def test_cookies(self):
        for cookie in (b"session=" + b"x" * 3000, b"; ".join(b"name%d=value%d" % (i, i) for i in range(100)),
                       b"a;" * 1500):
            self.assertEqual(self.talk(train(b"Cookie: " + cookie + b"\r\n"))[0][0], 200)

    def test_one_after_another(self):
        """More requests are in the buffer than a connection's memory holds, behind a head of any size."""
        for n in (0, 3000, 7000, 7800):
            before = self.batches()
            request = train(header(b"X-Foo", n), close=False)
            self.assertEqual([a[0] for a in self.talk(request * 20 + train())], [200] * 21)
            self.assertEqual([a[0] for a in self.talk(request * 2 + train(header(b"X-Foo", 15000)))], [200, 200, 431])
            self.assertEqual(self.batches() - before, 23)

    def test_many_headers_behind_a_body(self):
        """Heads of all sizes find memory for their headers, however much was read with the body before them."""
        room = HEAD_MAX - len(train(b"a: b\r\n" * (FIELDS_MAX - 4) + header(b"X-Foo", 0))) + len(BODY)
        head = train(b"a: b\r\n" * (FIELDS_MAX - 4) + header(b"X-Foo", room), close=False)
        rows = b'{"data":[%s]}' % b",".join([b"[1,2]"] * 9000)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in
                          (rows[at:at + 5000] for at in range(0, len(rows), 5000))) + b"0\r\n\r\n"
        chunked = train(b"Transfer-Encoding: chunked\r\n", body=b"", close=False).replace(b"Content-Length: 0\r\n", b"")
        for behind in (train(body=rows, close=False), chunked + chunks):
            self.assertEqual([a[0] for a in self.talk((behind + head) * 5 + head * 3 + train())], [200] * 14)
        for step, count in ((20, 1), (700, 3), (7999, 3), (9000, 3)):
            self.assertEqual([a[0] for a in self.talk(head * count + train(), step)], [200] * (count + 1))

    def test_the_longest_answer_head(self):
        name = "n" * 128
        path = f"/v1/models/{name}/layers/{name}".encode()
        body = b'{"kind":"batch_norm","num_features":2,"shuffle":true,"virtual_batch_size":4}'
        request_id = header(b"X-Request-Id", 128)
        put = self.talk(b"PUT " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + request_id +
                        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))[0]
        self.assertEqual(put[0], 201)
        self.assertLess(put[1], ANSWER_HEAD_MAX)
        coded = request_id + b"Accept-Encoding: gzip, identity;q=0\r\n"
        answer = self.talk(train(coded, b"?seed=9007199254740991", body=ROWS).replace(LAYER, path))[0]
        self.assertEqual(answer[0], 200, answer)
        self.assertLess(answer[1], ANSWER_HEAD_MAX)

    def test_a_location_is_short(self):
        """However long the target was that the client wrote."""
        spelled = "".join(f"%{ord(c):02x}" for c in "batch")
        answer = self.daemon.curl("PUT", f"/v1/models/{spelled}/layers/bn", {"kind": "batch_norm", "num_features": 2})
        self.assertEqual((answer.status, answer.headers["location"]), (201, "/v1/models/batch/layers/bn"))

    def test_nothing_is_left(self):
        """Of requests that never got an answer there was something left for ever:
        a stop waited for them until its timeout."""
        before = self.daemon.memory("VmRSS")
        for _ in range(8):
            for n in range(16200, 16400, 4):
                self.talk(train(query=b"?" + b"&a" * (n // 2)))
        if PATIENCE == 1:  # a sanitizer's memory says nothing, but it finds leaks at the end
            self.assertLess(self.daemon.memory("VmRSS") - before, 4 << 20)
        # Nor where the client leaves in the middle of the head.
        for n in range(1, 16400, 400):
            with self.daemon.connect() as s:
                s.sendall(train(query=b"?" + b"&a" * (n // 2))[:n])
        began = time.monotonic()
        self.daemon.stop()
        self.assertLess(time.monotonic() - began, 5 * PATIENCE)
        self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 0)

    def test_the_log_knows(self):
        """A line with the status for every answer, whichever part of the server made it, without blame."""
        self.talk(train(header(b"X-Foo", 9000)))
        self.talk(train(header(b"X-Foo", 30000)))
        self.talk(train(query=b"?mask=" + b"1" * 30000))

        def refused():
            return [line for line in self.daemon.log_lines() if line.get("status") in (414, 431)]

        lines = wait_for(lambda: len(refused()) == 3 and refused(), refused)
        self.assertEqual([line["status"] for line in lines], [431, 431, 414])
        self.assertEqual([line for line in lines if "aborted" in line], [])


class HalfClosed(unittest.TestCase):
    def test_a_client_that_has_said_all_gets_its_answer(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        daemon.curl("PUT", LAYER.decode(), {"kind": "batch_norm", "num_features": 2})
        connections = [socket.create_connection(("127.0.0.1", daemon.port), timeout=20 * PATIENCE) for _ in range(60)]
        for s in connections:
            self.addCleanup(s.close)
            s.sendall(train())
            s.shutdown(socket.SHUT_WR)
        answers = [split(b"".join(iter(lambda: s.recv(65536), b""))) for s in connections]
        self.assertEqual([a[0] for answer in answers for a in answer], [200] * 60)
        self.assertEqual(daemon.curl("GET", LAYER.decode() + "/statistics").json["num_batches_tracked"], 60)
