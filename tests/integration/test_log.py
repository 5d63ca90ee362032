# SPDX-License-Identifier: MIT
"""The log on standard error: levels, lines for requests, and a slow reader that delays no request."""

import json
import os
import signal
import socket
import subprocess
import unittest

from normd import PATIENCE, Client, Daemon, wait_for

LAYER, BATCH = "/v1/models/m/layers/l", [[1, 2], [3, 5]]


class Log(unittest.TestCase):
    def test_levels(self):
        daemon = Daemon("--log-level", "warn")
        daemon.curl("GET", "/v1/models")
        daemon.stop()
        self.assertEqual(daemon.log(), "")
        daemon.close()

    def log_read_late(self, ask):
        """Asks a daemon whose log nobody reads, stops it, and only then reads: the log's lines, parsed."""
        daemon = Daemon(start=False)
        self.addCleanup(daemon.close)
        process = subprocess.Popen(daemon.command(), stderr=subprocess.PIPE)
        try:
            wait_for(lambda: os.path.exists(daemon.port_file), "it listens")
            with open(daemon.port_file) as f:
                ask(Client(int(f.read())))
            process.send_signal(signal.SIGTERM)
            lines = [json.loads(line) for line in process.stderr.read().splitlines()]
            self.assertEqual(process.wait(60 * PATIENCE), 0)
            return lines
        finally:
            process.kill()
            process.wait()
            process.stderr.close()

    def test_a_reader_of_the_log_that_does_not_read_holds_nobody_up(self):
        def ask(client):
            for _ in range(3000):  # many times what a pipe holds
                self.assertEqual(client.request("GET", "/v2/health/live").status, 200)

        self.assertEqual(self.log_read_late(ask)[-1]["message"], "stopped")

    def test_what_a_slow_reader_misses_is_counted(self):
        count = 4000  # lines that come to several times what may wait

        def ask(client):
            for _ in range(count):
                self.assertEqual(client.request("GET", "/v1/models?" + "x" * 1000).status, 400)

        lines = self.log_read_late(ask)
        written = sum(line["message"] == "request" for line in lines)
        dropped = sum(line["count"] for line in lines if line["message"] == "log lines dropped")
        self.assertGreater(dropped, 0)
        self.assertIn(written + dropped, range(count, count + 3))  # "draining" and "stopped" may be among the dropped

    def hostile_requests(self, daemon):
        """Requests whose bytes would reach whoever reads the log, each on a connection of its own;
        returns how many were answered."""
        escape = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b2J"
        requests = [
            b"GET /v1/models?x=" + b"\x01" * 2900 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/models?x=" + b"%01" * 2900 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/models/" + b"%1b%5b2J" * 40 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/models?" + escape + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\ntraceparent: " + "\u202e\u009b2J".encode() * 300 +
            b"\r\n\r\n", b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + escape + b"\r\n\r\n",
            b'PUT /v1/models/m/layers/l HTTP/1.1\r\nHost: localhost\r\nContent-Length: 24\r\n\r\n'
            b'{"kind":"\xe2\x80\xae\xc2\x9b2J","\x7f":1}',
        ]
        for request in requests:
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=60 * PATIENCE) as client:
                client.sendall(request)
                self.assertTrue(client.recv(65536).startswith(b"HTTP/1."), request)
        return len(requests)

    def lines_of(self, ask):
        """What a daemon logs of the requests that `ask` sends by one connection."""
        daemon = Daemon()
        self.addCleanup(daemon.close)
        client = daemon.client()
        ask(client)
        client.close()
        daemon.stop()
        with open(daemon.log_path, encoding="latin-1", newline="") as f:
            self.raw = f.read()
        return [line for line in daemon.log_lines() if line["message"] == "request"]

    def test_phases_add_up_to_the_duration(self):
        def ask(client):
            client.request("PUT", LAYER, {"kind": "batch_norm"})
            client.request("POST", LAYER + "/train", BATCH)
            client.request("POST", LAYER + "/infer", BATCH)
            client.request("GET", "/metrics")  # on a computing thread
            client.request("GET", "/no/such/route")

        lines = self.lines_of(ask)
        phases = ("receive_ms", "wait_ms", "compute_ms", "commit_ms", "send_ms")
        for line in lines:
            self.assertAlmostEqual(sum(line[phase] for phase in phases), line["duration_ms"], places=6)
        self.assertEqual([line["commit_ms"] > 0 for line in lines], [True, True, False, False, False])

    def test_the_state_that_was_used_or_made(self):
        def ask(client):
            client.request("PUT", LAYER, {"kind": "batch_norm"})
            client.request("POST", LAYER + "/train", BATCH)
            client.request("POST", LAYER + "/train", BATCH)
            client.request("POST", "/v1/models/m/versions", {})
            client.request("POST", LAYER + "/infer", BATCH)
            client.request("POST", LAYER + "/infer?version=1", BATCH)
            client.request("POST", LAYER + "/infer?version=7", BATCH)
            client.request("POST", "/v2/models/m/infer", {"inputs": [
                {"name": "l", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 5]}]})
            client.request("GET", "/v1/models")

        self.assertEqual([(line.get("version"), line.get("revision")) for line in self.lines_of(ask)],
                         [(None, 0), (None, 1), (None, 2), (None, None), ("live", 2), ("1", 2), (None, None),
                          ("live", 2), (None, None)])

    def test_traceparent_if_it_is_valid(self):
        good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

        def ask(client):
            for value in (good, good.upper(), "anything", good + "-more", "01" + good[2:] + "-more"):
                client.request("GET", "/v2/health/live", headers={"traceparent": value})

        self.assertEqual([line.get("traceparent") for line in self.lines_of(ask)],
                         [good, None, None, None, "01" + good[2:]])

    def test_neither_tokens_nor_payloads(self):
        token, secret = "normd_" + "aB3-_" * 8 + "xyz", "123454321"

        def ask(client):
            client.request("PUT", LAYER, {"kind": "batch_norm"})
            for path in (LAYER + "/train", LAYER + "/infer", LAYER + "/train?access_token=" + token,
                         f"/v1/models/{token}", "/v2/models/m/infer", LAYER + "/report"):
                for body in ([[secret]], f"[[1,2],[3,{secret}x]]", f'{{"data":[[{secret},1],[NaN,2]]}}',
                             f'{{"data":[[{secret},1]],"mode":"{secret}"}}', [[int(secret)] * 2] * 2):
                    client.request("POST", path, body, {"Authorization": "Bearer " + token})
            client.request("GET", LAYER, headers={"Authorization": "Basic " + token, "Cookie": token})

        lines = self.lines_of(ask)
        self.assertEqual(len(lines), 32)
        self.assertNotIn(token[6:], json.dumps(lines))
        self.assertEqual([line for line in lines if secret in json.dumps(line)], [])

    def test_a_layer_s_name_in_a_body_is_bounded_and_escaped(self):
        """Calls of /v2 name their layers in the body, and the line says which one does not exist."""
        token = "normd_" + "aB3-_" * 8 + "xyz"
        names = ("a" * 1000000, "a" * 139 + "\u20ac" * 100000, "\x1b]0;owned\x07\x1b[2J\u009b2J\u202e\n\x7f", "\0x",
                 token)

        def ask(client):
            client.request("PUT", LAYER, {"kind": "batch_norm"})
            for name in names:
                client.request("POST", "/v2/models/m/infer", {"inputs": [
                    {"name": name, "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 5]}]})

        lines = self.lines_of(ask)[1:]
        self.assertEqual({line["code"] for line in lines}, {"no_such_layer"})
        self.assertEqual([line["detail"] for line in lines], [f'model "m" has no layer "{shown}"' for shown in (
            "a" * 140, "a" * 139 + "\ufffd", names[2], "\\u0000x", "normd_" + "*" * 43)])
        self.assertRegex(self.raw, r"\A[\n -~]*\Z")

    def test_what_a_body_holds_is_not_quoted(self):
        """By an error, which quotes it to the client."""
        infer, secret, number = LAYER + "/infer", "secret-text", "54321e399"
        calls = (("PUT", LAYER + "2", {"kind": secret}), ("PUT", LAYER + "2", {secret: 1, "kind": "batch_norm"}),
                 ("POST", infer, f"[[1,{number}]]"), ("POST", infer, {"data": [[1, 2]], "datatype": secret}),
                 ("POST", infer, {"data": [[1, 2]], secret: 1}), ("POST", "/v1/models/m/versions", {secret: 1}),
                 ("PUT", "/v1/log-level", {"level": secret}),
                 ("POST", "/v2/models/m/infer", {"parameters": {"mode": secret}, "inputs": [
                     {"name": "bn", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}))

        def ask(client):
            client.request("PUT", LAYER, {"kind": "batch_norm"})
            for method, path, body in calls:
                answer = client.request(method, path, body)
                self.assertEqual(answer.status, 400, path)
                self.assertTrue(any(text in answer.json["detail"] for text in (secret, number)), answer)
            client.request("POST", infer + "?no_such=1")

        *lines, last = self.lines_of(ask)[1:]
        self.assertEqual(len(lines), len(calls))
        self.assertEqual([line for line in lines if secret in json.dumps(line) or number in json.dumps(line)], [])
        self.assertEqual(lines[2]["offset"], 4)
        self.assertIn("no_such", last["detail"])

    def test_a_refused_head_has_its_line(self):
        """With the bytes of its answer, and with what came well of its request line."""
        heads = [b"GET /" + b"a" * 20000, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 20000,
                 b"GET /v1/mo\xe4dels", b"GARBAGE\r\n", b"\x16\x03\x01"]
        lengths = []
        daemon = Daemon()
        self.addCleanup(daemon.close)
        for head in heads:
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=60 * PATIENCE) as client:
                client.sendall(head)
                with client.makefile("rb") as answer:
                    lengths.append(len(answer.read().partition(b"\r\n\r\n")[2]))
        daemon.stop()
        lines = [line for line in daemon.log_lines() if line["message"] == "request"]
        self.assertEqual([line["bytes_out"] for line in lines], lengths)
        self.assertGreater(min(lengths), 0)
        self.assertEqual([line["status"] for line in lines], [414, 431, 400, 400, 400])
        self.assertEqual([(line["method"], line["target"]) for line in lines[1:]],
                         [("GET", "/v1/models"), ("GET", "/v1/mo"), ("GARBAGE", "-"), ("-", "-")])

    def test_every_request_has_a_line_that_a_terminal_can_be_shown(self):
        for form in ("text", "json"):
            daemon = Daemon("--log-format", form)
            self.addCleanup(daemon.close)
            count = self.hostile_requests(daemon)
            daemon.stop()
            with open(daemon.log_path, "rb") as f:
                log = f.read()
            self.assertEqual({byte for byte in log if not 0x20 <= byte < 0x7f}, {ord("\n")})
            lines = [line for line in log.split(b"\n") if b"target=" in line or b'"target":' in line]
            self.assertEqual(len(lines), count, log)
            self.assertLess(max(map(len, lines)), 16384)
            if form == "json":
                self.assertEqual(len([line for line in daemon.log_lines() if line["message"] == "request"]), count)
