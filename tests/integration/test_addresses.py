# SPDX-License-Identifier: MIT
"""--max-connections-per-address."""

import http.client
import socket
import unittest

from normd import Answer, DaemonTest, wait_for

LIMIT = 3
INFO = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
PROBE = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Addresses(DaemonTest):
    daemon_args = ("--max-connections-per-address", str(LIMIT))

    def connect(self, source="127.0.0.1"):
        s = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30, source_address=(source, 0))
        self.addCleanup(s.close)
        return s

    def ask(self, s, request=INFO):
        """The answer on a connection, or None: it was closed without one."""
        try:
            s.sendall(request)
            response = http.client.HTTPResponse(s)
            response.begin()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except ConnectionError:
            return None

    def test_more_are_refused_and_many_more_closed(self):
        served = [self.connect() for _ in range(LIMIT)]
        for s in served:
            self.assertEqual(self.ask(s).status, 200)
        open_before = self.daemon.descriptors()
        refused = [self.connect() for _ in range(LIMIT)]
        wait_for(lambda: self.daemon.descriptors() == open_before + LIMIT, "all of them are accepted")
        closed = [self.connect() for _ in range(2 * LIMIT)]
        self.assertEqual([self.ask(s) for s in closed], [None] * len(closed))
        self.assertEqual(self.ask(self.connect("127.0.0.2")).status, 200)
        probed, *refused = refused
        self.assertEqual(self.ask(probed, PROBE).status, 200)
        for s in refused:
            answer = self.ask(s)
            self.assertEqual((answer.status, answer.code), (429, "too_many_requests"))
            self.assertEqual((answer.headers["retry-after"], answer.headers["connection"]), ("1", "close"))
            self.assertEqual(s.recv(1), b"")
        for s in served:
            self.assertEqual(self.ask(s).status, 200)
            s.close()
        wait_for(lambda: (answer := self.ask(self.connect())) is not None and answer.status == 200,
                 "a place becomes free")
        wait_for(lambda: sum(line["count"] for line in self.daemon.log_lines()
                             if line["message"].startswith("connections were closed at once")) >= len(closed),
                 "the log says how many were closed")


if __name__ == "__main__":
    unittest.main()
