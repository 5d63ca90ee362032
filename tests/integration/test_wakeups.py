# SPDX-License-Identifier: MIT
"""No request is forgotten by the event loops, however many are ready at once, suspended, resumed,
cut into pieces or given up."""

import os
import shutil
import signal
import socket
import tempfile
import time
import unittest

from load import Load
from normd import PATIENCE, Daemon

BOUND_S = 2.0
LAYERS = 4


class ReadyAtOnce(unittest.TestCase):
    """libmicrohttpd 0.9.75 takes events from the kernel 128 at a time,
    and having got exactly that many it would wait for more first."""

    REQUEST = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def connect(self, port):
        s = socket.create_connection(("127.0.0.1", port), timeout=BOUND_S * PATIENCE)
        self.addCleanup(s.close)
        return s

    def test_any_number_of_connections(self):
        daemon = Daemon("--threads", "1", "--log-level", "warn")
        self.addCleanup(daemon.close)
        connections = []
        for count in (126, 127, 128, 129, 255, 256):
            connections += [self.connect(daemon.port) for _ in range(count - len(connections))]
            for s in connections:
                s.sendall(self.REQUEST)
                self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))
            with self.subTest(count):
                daemon.process.send_signal(signal.SIGSTOP)
                for s in connections:
                    s.sendall(self.REQUEST)
                daemon.process.send_signal(signal.SIGCONT)
                for s in connections:
                    self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))


class SuspendAndResume(unittest.TestCase):
    """
    Hundreds of clients train, which suspends their connections, infer, which does not, send in pieces, come and go, and
    hang up in the middle of a commit. In bursts, so that nothing else wakes a loop that forgot someone; and each at its
    own pace.
    """

    CROWD = {"plain": 128, "infer": 96, "pieces": 96, "brief": 32, "brief-infer": 16, "vanish": 16}
    SECONDS = 2.0

    def setUp(self):
        # A disk that takes no time makes for the most suspending and resuming.
        self.directory = tempfile.mkdtemp(prefix="normd-test-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(shutil.rmtree, self.directory)

    def crowd(self, threads, bursts, bodies):
        daemon = Daemon("--threads", str(threads), "--log-level", "warn", store=f"sqlite:{self.directory}/{threads}.db")
        self.addCleanup(daemon.close)
        Load.make_layers(daemon, self.CROWD, LAYERS)
        load = Load(daemon, self.CROWD, LAYERS, rows=bodies, bound_s=BOUND_S, bursts=bursts)
        self.addCleanup(load.close)
        time.sleep(self.SECONDS)
        counts = load.hold()
        for role in self.CROWD:
            n = counts[role]
            for bad in ("stalled", "unexpected", "dropped", "dropped_first", "cut", "refused_connections"):
                self.assertEqual(n[bad], 0, f"{bad} of {role}: {n}")
            self.assertGreater(n["hung_up" if role == "vanish" else "ok"], 0)
            if not role.endswith("infer"):
                self.check_layers(daemon, n["layers"])

    def check_layers(self, daemon, layers):
        for layer in layers:
            path = f"/v1/models/load/layers/{layer['layer']}/statistics"
            statistics = daemon.curl("GET", path).json
            self.assertGreaterEqual(statistics["num_batches_tracked"], layer["acknowledged"])
            self.assertLessEqual(statistics["num_batches_tracked"], layer["acknowledged"] + layer["unknown"])

    def test_in_bursts(self):
        for threads in (1, 2):
            with self.subTest(threads=threads):
                self.crowd(threads, True, 4)

    def test_each_at_its_own_pace(self):
        for threads in (1, 2):
            with self.subTest(threads=threads):
                self.crowd(threads, False, 64)


if __name__ == "__main__":
    unittest.main()
