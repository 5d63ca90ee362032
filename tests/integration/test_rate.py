# SPDX-License-Identifier: MIT
"""--max-requests-per-second: what a token may ask. How it counts is proved in tests/unit/test_rate.c."""

import os
import re
import socket
import subprocess
import tempfile
import time
import unittest

from normd import NORMD, PATIENCE, DaemonTest

RATE = 5


def make_token(path, role):
    return subprocess.run([NORMD, "token", "--role", role, "--tokens", path], check=True, capture_output=True,
                          text=True).stdout.strip()


class Rate(DaemonTest):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        path = os.path.join(cls.directory.name, "tokens")
        cls.tokens = [make_token(path, "infer") for _ in range(7)]
        cls.daemon_args = ("--tokens", path, "--max-requests-per-second", str(RATE))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.directory.cleanup()

    def setUp(self):
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)

    def ask(self, token, path="/v1/models", method="GET", body=None):
        return self.client.request(method, path, body, {"Authorization": f"Bearer {token}"})

    def use_up(self, token):
        """Asks until it is refused; the refusal."""
        began, count = time.monotonic(), 0
        while (answer := self.ask(token)).status == 200:
            count += 1
        self.assertGreaterEqual(count, RATE)
        self.assertLessEqual(count, RATE * (time.monotonic() - began) + RATE + 1)
        return answer

    def test_a_token_that_asks_too_much_is_told_to_wait(self):
        answer = self.use_up(self.tokens[0])
        self.assertEqual((answer.status, answer.code, answer.headers["retry-after"]), (429, "too_many_requests", "1"))
        self.assertNotIn(self.tokens[0], answer.body)

    def test_refusals_are_counted(self):
        def shed():
            body = self.ask(self.tokens[6], "/metrics").body
            return float(re.search(r'^normd_requests_shed_total\{reason="rate"\} (\S+)$', body, re.M)[1])

        before = shed()
        self.use_up(self.tokens[0])
        self.assertEqual(shed() - before, 1)

    def test_it_is_served_again_after_that(self):
        answer = self.use_up(self.tokens[1])
        time.sleep(int(answer.headers["retry-after"]))
        self.assertEqual(self.ask(self.tokens[1]).status, 200)

    def test_others_are_served_meanwhile(self):
        self.use_up(self.tokens[2])
        self.assertEqual(self.ask(self.tokens[3]).status, 200)
        self.assertEqual(self.client.request("GET", "/v1/models").status, 401)

    def test_open_calls_do_not_count(self):
        for _ in range(4 * RATE):
            for path in ("/v2/health/live", "/v2/health/ready", "/openapi.json"):
                self.assertEqual(self.ask(self.tokens[4], path).status, 200)
        self.use_up(self.tokens[4])

    def test_a_refused_body_is_not_waited_for(self):
        """It is said before the body, on a connection that then ends."""
        self.use_up(self.tokens[5])
        statuses = []
        while 429 not in statuses:
            with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30 * PATIENCE) as s:
                s.sendall(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                          b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n" % self.tokens[5].encode())
                statuses.append(int(s.recv(65536).split()[1]))
            self.assertLess(len(statuses), 1000)
        self.assertLessEqual(set(statuses), {100, 429})


if __name__ == "__main__":
    unittest.main()
