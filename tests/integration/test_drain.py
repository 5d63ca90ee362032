# SPDX-License-Identifier: MIT
"""SIGTERM: every request that was sent is answered, whatever the load, and no drain takes longer than its limit."""

import os
import random
import signal
import time
import unittest

from load import Load
from normd import PATIENCE, Daemon, wait_for

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNFINISHED = b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"


def read_to_end(s):
    """All bytes until the server closes the connection, which it must not reset."""
    data = b""
    while piece := s.recv(65536):
        data += piece
    return data


class Stopping(unittest.TestCase):
    pair = None  # the certificate of a daemon that serves TLS

    def start(self, *args):
        self.daemon = Daemon(*args, pair=self.pair)
        self.addCleanup(self.daemon.close)

    def connect(self, count):
        connections = [self.daemon.connect() for _ in range(count)]
        for s in connections:
            self.addCleanup(s.close)
        return connections

    def exits(self, within_s):
        """The daemon must exit with 0 within this time."""
        began = time.monotonic()
        process, self.daemon.process = self.daemon.process, None
        self.assertEqual(process.wait(60 * PATIENCE), 0, self.daemon.log()[-3000:])
        self.assertLess(time.monotonic() - began, within_s * PATIENCE)

    def signal(self, number):
        self.daemon.process.send_signal(number)

    def assert_answered(self, answer):
        self.assertIn(answer[:13], (b"HTTP/1.1 200 ", b"HTTP/1.1 503 "), answer)
        if answer.startswith(b"HTTP/1.1 503 "):
            self.assertIn(b'"shutting_down"', answer)
            self.assertIn(b"\r\nConnection: close\r\n", answer)


class Drain(Stopping):
    def test_what_the_kernel_has_received_is_answered(self):
        """Stops the process, so that the signal, requests and new connections all wait for it when it continues."""
        for threads in ("1", "2"):
            self.start("--threads", threads, "--log-level", "warn")
            kept = self.connect(300)
            for s in kept:
                s.sendall(GET)
                self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))
            self.signal(signal.SIGSTOP)
            self.signal(signal.SIGTERM)
            new = self.connect(100)
            for s in kept + new:
                s.sendall(GET)
            self.signal(signal.SIGCONT)
            for s in kept + new:
                self.assert_answered(read_to_end(s))
            self.exits(10)

    def test_idle_connections_are_closed(self):
        self.start()
        connections = self.connect(50)
        for s in connections[:25]:
            s.sendall(GET)
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))
        self.signal(signal.SIGTERM)
        for s in connections:
            self.assertEqual(read_to_end(s), b"")
        self.exits(2)
        self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 0)

    def test_slow_clients_are_cut_at_the_drain_timeout(self):
        self.start("--drain-timeout", "1")
        for s in self.connect(20):
            s.sendall(UNFINISHED)
        time.sleep(0.3)
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        self.exits(5)
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 20)

    def test_a_second_signal_ends_it(self):
        for second in (signal.SIGTERM, signal.SIGINT):
            self.start("--drain-timeout", "600")
            s = self.connect(1)[0]
            s.sendall(UNFINISHED)
            time.sleep(0.3)
            self.signal(signal.SIGTERM)
            time.sleep(0.3)
            self.assertIsNone(self.daemon.process.poll(), "it waits for the request")
            self.signal(second)
            self.exits(5)
            self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 1)
            self.assertFalse(os.path.exists(self.daemon.store[len("sqlite:"):] + "-wal"),
                             "it is a clean stop all the same")


class NotReadyFirst(Stopping):
    """--drain-delay: the daemon serves on, but load balancers are told to go elsewhere."""

    def start(self, *args):
        super().start(*args)
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)

    def begin_leave(self):
        self.signal(signal.SIGTERM)
        wait_for(lambda: "not ready any more" in self.daemon.log(), "it takes leave")

    def ask(self, status, method, path, body=None):
        answer = self.client.request(method, path, body)
        self.assertEqual(answer.status, status, answer)
        return answer

    def test_it_serves_all_else_on_kept_and_on_new_connections(self):
        self.start("--drain-delay", "600", "--drain-timeout", "600")
        self.ask(201, "PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})
        ready = self.ask(200, "GET", "/v2/health/ready")
        self.assertNotIn("connection", ready.headers)
        self.begin_leave()
        for _ in range(2):
            answer = self.ask(503, "GET", "/v2/health/ready")
            self.assertEqual((answer.code, answer.headers["retry-after"]), ("shutting_down", "1"))
            self.assertEqual(answer.headers["connection"].lower(), "close")
            answer = self.ask(200, "POST", "/v1/models/m/layers/bn/train", {"data": [[1], [2]]})
            self.assertEqual(answer.headers["connection"].lower(), "close")
            self.ask(200, "GET", "/v2/health/live")
        self.signal(signal.SIGTERM)
        self.exits(10)
        self.assertIn("the rest of --drain-delay is left out", self.daemon.log())

    def test_a_second_signal_leaves_out_the_delay_and_a_third_ends_the_drain(self):
        self.start("--drain-delay", "600", "--drain-timeout", "600")
        s = self.connect(1)[0]
        s.sendall(UNFINISHED)
        self.begin_leave()
        self.signal(signal.SIGINT)
        wait_for(lambda: '"draining"' in self.daemon.log(), "it drains")
        self.assertIsNone(self.daemon.process.poll(), "it waits for the request")
        self.signal(signal.SIGTERM)
        self.exits(5)
        self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 1)

    def test_after_the_delay_it_drains(self):
        self.start("--drain-delay", "1")
        began = time.monotonic()
        self.begin_leave()
        self.exits(10)
        self.assertGreaterEqual(time.monotonic() - began, 1)


class DrainUnderLoad(unittest.TestCase):
    """Stopped and started again and again: every answer counts, also without a key."""

    ROUNDS = int(os.environ.get("NORMD_DRAIN_ROUNDS") or 6)
    ROLES = {"plain": 48, "pieces": 16, "brief": 16, "keyed": 16, "infer": 32, "brief-infer": 8}
    LAYERS = 2

    def test_every_request_is_answered(self):
        daemon = Daemon("--log-level", "warn", "--threads", "2")
        self.addCleanup(daemon.close)
        Load.make_layers(daemon, self.ROLES, self.LAYERS)
        load = Load(daemon, self.ROLES, self.LAYERS)
        self.addCleanup(load.close)
        for _ in range(self.ROUNDS):
            time.sleep(random.uniform(0.1, 0.4))
            began = time.monotonic()
            daemon.stop()
            self.assertLess(time.monotonic() - began, 10 * PATIENCE)
            os.unlink(daemon.port_file)
            counts = load.hold()
            self.check_answers(counts)
            daemon.start()
            load.go()
        counts = load.finish()
        for role in ("plain", "pieces", "brief", "keyed"):
            for layer in counts[role]["layers"]:
                path = f"/v1/models/load/layers/{layer['layer']}/statistics"
                self.assertEqual(daemon.curl("GET", path).json["num_batches_tracked"], layer["acknowledged"],
                                 counts[role])

    def check_answers(self, counts):
        for role in self.ROLES:
            for bad in ("dropped", "dropped_first", "unexpected"):
                self.assertEqual(counts[role][bad], 0, f"{bad} of {role}: {counts[role]}")
            self.assertEqual([layer["unknown"] for layer in counts[role]["layers"]], [0] * self.LAYERS)


if __name__ == "__main__":
    unittest.main()
