# SPDX-License-Identifier: MIT
"""
What paths that begin with /v2 have of their own: errors with the member that the clients of the Open Inference Protocol
read, whoever finds them, and paths as those clients write them. api_check.py compares `error` with `detail` in every
answer of every test; here are the errors that are found at different places.
"""

import json
import socket
import unittest

from normd import PATIENCE, ClientTest, DaemonTest

LIVE = "/v2/health/live"


class OipErrors(ClientTest):
    def talk(self, raw):
        """The answer to bytes as they are: its status, and its document."""
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=20 * PATIENCE) as s:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def refused_with_error(self, status, raw):
        got, problem = self.talk(raw)
        self.assertEqual(got, status, problem)
        self.assertEqual(problem["error"], problem["detail"])

    def test_no_such_route(self):
        for path in ("/v2/nothing", "/v2/health/alive", "/v2/models/a/b/c/d/e/f/g/h/i", "/v2/health/live/now",
                     "/v2/" + "a" * 3000):
            self.assertIn("error", self.refused("no_such_route", 404, "GET", path).json, path)

    def test_wrong_method(self):
        answer = self.refused("method_not_allowed", 405, "PATCH", LIVE)
        self.assertEqual(answer.json["error"], answer.json["detail"])

    def test_bodies_and_paths_that_are_refused(self):
        for path in (LIVE, LIVE + "/", LIVE + "?a=b"):
            self.assertIn("takes no body", self.refused("bad_parameter", 400, "GET", path, "{}").json["error"], path)
        self.assertIn("hex digits", self.refused("bad_parameter", 400, "GET", LIVE + "%zz").json["error"])

    def test_absolute_targets(self):
        self.refused_with_error(404, b"GET http://localhost/v2/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def test_heads_that_are_refused_before_their_route_is_known(self):
        for status, line, headers in (
            (400, LIVE, b"Host: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n"),
            (400, LIVE, b"Host: localhost\r\nInference-Header-Content-Length: 1\r\n"
             b"inference-header-content-length: 1\r\n"),
            (400, LIVE, b""),
            (403, LIVE, b"Host: localhost\r\nOrigin: http://elsewhere.example\r\n"),
            (431, LIVE, b"Host: localhost\r\nX: " + b"a" * 9000 + b"\r\n"),
            (431, LIVE, b"Host: localhost\r\nX: " + b"a" * 40000 + b"\r\n"),
            (414, LIVE + "?" + "a" * 9000, b"Host: localhost\r\n"),
        ):
            with self.subTest(status=status, headers=headers[:60]):
                self.refused_with_error(status, b"GET " + line.encode() + b" HTTP/1.1\r\n" + headers + b"\r\n")

    def test_other_paths_have_no_such_member(self):
        for path in ("/v1/nothing", "/v22/health", "/v1/v2", "/v2x", "/V2", "/?/v2/health", "/"):
            self.assertNotIn("error", self.daemon.curl("PATCH", path).json, path)

    def test_a_head_has_no_body(self):
        answers = [self.ask(method, "/v2/nothing", status=404) for method in ("HEAD", "GET")]
        self.assertEqual(answers[0].raw, b"")
        self.assertEqual(int(answers[0].headers["content-length"]), len(answers[1].raw))


class OipPaths(DaemonTest):
    def test_a_slash_at_the_end(self):
        self.assertEqual(self.call("GET", LIVE + "/").json, self.call("GET", LIVE).json)
        self.assertEqual(self.call("GET", LIVE + "/?a=b").json, {"live": True})

    def test_any_query(self):
        many = "&".join(f"name{i}={i}" for i in range(200))
        for query in ("?", "?a", "?a=b&a=b", "?%zz", "?%00=%", "?a=\"b\"".replace('"', "%22"), "?" + many, "?/v1?"):
            self.assertEqual(self.call("GET", LIVE + query).json, {"live": True}, query)

    def test_elsewhere_a_query_is_read(self):
        for query in ("?a", "?%zz", "?" + "a&" * 17):
            self.refused("bad_parameter", 400, "GET", "/v1/models" + query)


if __name__ == "__main__":
    unittest.main()
