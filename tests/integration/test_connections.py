# SPDX-License-Identifier: MIT
"""Many connections: how many are held and what one costs, and what is done when there are too many."""

import json
import os
import resource
import select
import socket
import subprocess
import sys
import time
import unittest
from functools import partial

from normd import PATIENCE, Client, Daemon, DaemonTest, at_once, wait_for

ALONE = True  # it opens as many connections as the system allows

SMALL = json.dumps({"kind": "layer_norm", "normalized_shape": [4], "data": [[1, 2, 3, 4]]}).encode()
# The idle connections of the large test, and what each may cost. A sanitizer's memory says nothing.
IDLE = 10_000 if PATIENCE == 1 else 500
RESIDENT_MAX = 20_000 if PATIENCE == 1 else None
# Held by processes of their own, because one process may not open this many descriptors; each from an address of its
# own, which has the ports.
HOLDERS = 4


class Limited(Daemon):
    """A daemon that may open only this many files."""

    def __init__(self, files, *args, soft=None):
        self.files, self.soft = files, soft or files
        super().__init__(*args)

    def command(self):
        return ["sh", "-c", f'ulimit -n {self.files}; ulimit -S -n {self.soft}; exec "$@"', "sh", *super().command()]


def request(body=SMALL):
    return b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def ask(s, body=SMALL):
    """A request on a connection that is open; the answer's head and body; b"" without an answer."""
    answer = b""
    try:
        s.sendall(request(body))
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    except OSError:
        pass
    return answer


def is_open(s):
    poll = select.poll()
    poll.register(s, select.POLLIN)
    return not poll.poll(0)


def line_of(daemon, words):
    """The first line of the log with this text; a separate thread writes it."""
    return wait_for(lambda: next((line for line in daemon.log_lines() if words in line["message"]), None),
                    lambda: f"a line that says {words!r}: {daemon.log()}")


class LeastDescriptors(unittest.TestCase):
    """normd does not start with too few descriptors; with just enough, idle connections keep no client waiting."""

    LEAST = 64 + 2 * 2 + 64

    def test_fewer_are_refused(self):
        for files in (20, 64, self.LEAST - 1):
            with self.assertRaises(AssertionError) as caught:
                Limited(files, "--threads", "2").close()
            for words in ("exited 2", f"open files is {files};", f"at least {self.LEAST},", "ulimit -n", "LimitNOFILE",
                          "nofile"):
                self.assertIn(words, str(caught.exception))

    def test_the_soft_limit_is_raised(self):
        daemon = Limited(self.LEAST + 100, "--threads", "2", soft=10)
        self.addCleanup(daemon.close)
        self.assertEqual(line_of(daemon, "listening")["connections"], 164)

    def test_idle_ones_keep_nobody_waiting(self):
        daemon = Limited(self.LEAST, "--threads", "2", "--client-timeout", "4")
        self.addCleanup(daemon.close)
        for _ in range(3):
            idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(100)]
            for s in idle:
                self.addCleanup(s.close)
            wait_for(lambda: daemon.curl("GET", "/v2/health/live").status == 200, "it is served", 10 * PATIENCE)
        wait_for(lambda: daemon.curl("POST", "/v1/normalize", SMALL).status == 200, "work is done", 10 * PATIENCE)


class FewDescriptors(unittest.TestCase):
    FILES = 308
    MOST = FILES - 64 - 2 * 2
    TURNED_AWAY_FROM = MOST // 8 * 7

    def setUp(self):
        self.daemon = Limited(self.FILES, "--threads", "2", "--client-timeout", "4")
        self.addCleanup(self.daemon.close)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=20 * PATIENCE)
        self.addCleanup(s.close)
        return s

    def test_the_limit_is_said_at_start(self):
        warning = line_of(self.daemon, "few connections")
        for words in (f"is {self.FILES} and", "ulimit -n", "LimitNOFILE", "nofile"):
            self.assertIn(words, warning["reason"])
        self.assertEqual((warning["level"], warning["connections"]), ("warn", self.MOST))
        self.assertEqual(line_of(self.daemon, "listening")["connections"], self.MOST)

    def test_who_comes_too_late_is_told(self):
        """Those that are there are served on; the others get a 503 and the connection's end, but for probes;
        and then room is made."""
        there = [self.connect() for _ in range(self.TURNED_AWAY_FROM)]
        for s in there:
            self.assertTrue(ask(s).startswith(b"HTTP/1.1 200 "))
        late = self.connect()
        answer = ask(late)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertIn(b'"code":"overloaded"', answer)
        self.assertRegex(answer, rb"\r\nRetry-After: [1-9]")
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(late.recv(100), b"")
        self.assertEqual(self.daemon.curl("GET", "/v2/health/live").status, 200)
        self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 200)
        self.assertTrue(ask(there[0]).startswith(b"HTTP/1.1 200 "))

    def test_idle_ones_make_room(self):
        """Busy connections stay, also with a request that has only begun; of idle ones no more go than must."""
        busy = [self.connect() for _ in range(10)]
        half = self.connect()
        for s in busy:
            self.assertTrue(ask(s).startswith(b"HTTP/1.1 200 "))
        spoken = [self.connect() for _ in range(100)]
        for s in spoken:
            ask(s)
        silent = [self.connect() for _ in range(self.TURNED_AWAY_FROM - 111)]
        half.sendall(request()[:-1])
        deadline = time.monotonic() + 30 * PATIENCE
        while not ask(self.connect()).startswith(b"HTTP/1.1 200 "):
            self.assertLess(time.monotonic(), deadline)
            for s in busy:
                self.assertTrue(ask(s).startswith(b"HTTP/1.1 200 "))
            time.sleep(0.2)
        left = sum(map(is_open, spoken + silent))
        self.assertLess(left, len(spoken) + len(silent))
        self.assertGreaterEqual(left, self.MOST // 8 * 6 - 11 - 10)
        self.assertGreater(line_of(self.daemon, "make room")["count"], 0)
        half.sendall(request()[-1:])
        self.assertTrue(half.recv(100).startswith(b"HTTP/1.1 200 "))
        for s in busy:
            self.assertTrue(ask(s).startswith(b"HTTP/1.1 200 "))

    def test_half_heads_make_room(self):
        """Connections with an incomplete head do not keep others out for as long as a head may take."""
        self.daemon.close()
        self.daemon = Limited(self.FILES, "--threads", "2", "--client-timeout", "40")
        self.addCleanup(self.daemon.close)
        halves = [self.connect() for _ in range(self.FILES + 50)]
        for s in halves:
            s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        while not ask(self.connect()).startswith(b"HTTP/1.1 200 "):
            self.assertLess(time.monotonic() - began, 25 * PATIENCE)
            time.sleep(0.2)

    def test_nobody_hangs_beyond_the_limit(self):
        """More clients than there can be connections: each is answered in the end, as those before it are closed."""
        clients = [self.connect() for _ in range(self.FILES + 100)]
        answers = at_once([partial(ask, s) for s in clients[-50:]])
        self.assertLessEqual({answer[:12] for answer in answers}, {b"HTTP/1.1 200", b"HTTP/1.1 503"})


class LittleMemory(unittest.TestCase):
    def test_connections_are_within_it(self):
        """An eighth of the memory is for connections and is not part of the requests' memory; the log says so."""
        daemon = Daemon("--threads", "1", "--max-memory", "200MiB", "--client-timeout", "300")
        self.addCleanup(daemon.close)
        warning = line_of(daemon, "few connections")
        self.assertIn("--max-memory", warning["reason"])
        most = warning["connections"]
        self.assertTrue(500 < most < 2000, most)
        connections = []
        for _ in range(most // 8 * 7 + 1):
            connections.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=20 * PATIENCE))
            self.addCleanup(connections[-1].close)
        self.assertTrue(ask(connections[-1]).startswith(b"HTTP/1.1 503 "))
        # A body that needs nearly all of the requests' memory is taken all the same.
        body = (b'{"kind":"layer_norm","normalized_shape":[4],"datatype":"FP32","data":[' +
                b",".join([b"[1,2,3,4]"] * 3_500_000) + b"]}")
        connections[0].sendall(
            b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.assertEqual(connections[0].recv(12), b"HTTP/1.1 200")


def hold(port, count, address):
    """Holds idle connections, each of which was served once, until standard input ends;
    then says how many were still open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    held = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port), timeout=60 * PATIENCE, source_address=(address, 0))
        if not ask(s).startswith(b"HTTP/1.1 200 "):
            sys.exit("a request was not answered")
        held.append(s)
    print("held", flush=True)
    sys.stdin.read()
    left = [s for s in held if is_open(s)]
    print(len(left), sum(ask(s).startswith(b"HTTP/1.1 200 ") for s in left[::20]), flush=True)


class ManyIdle(DaemonTest):
    daemon_args = ("--threads", "2", "--log-level", "warn")

    def setUp(self):
        # Both this process and the daemon are bound by the hard limit;
        # it cannot be seen what containers allow beside it.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard < IDLE * 8 // 7 + 200:
            self.skipTest(f"the hard limit of open files is {hard}")

    def processor_s(self):
        with open(f"/proc/{self.daemon.process.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def hold(self):
        """Processes that hold IDLE connections between them."""
        command = [sys.executable, os.path.abspath(__file__), "hold", str(self.daemon.port), str(IDLE // HOLDERS)]
        holders = [subprocess.Popen([*command, f"127.0.0.{10 + i}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    text=True)
                   for i in range(HOLDERS)]
        for holder in holders:
            self.addCleanup(holder.stdout.close)
            self.addCleanup(holder.kill)
            self.assertEqual(holder.stdout.readline(), "held\n")
        return holders

    def test_they_are_held_while_work_goes_on(self):
        self.put_layer()
        client = Client(self.daemon.port)
        for _ in range(300):
            client.request("POST", "/v1/normalize", SMALL)
        before = self.daemon.memory("VmRSS")
        holders = self.hold()
        each = (self.daemon.memory("VmRSS") - before) / IDLE
        used = self.processor_s()
        time.sleep(3)
        idle_share = (self.processor_s() - used) / 3
        print(f"{each:.0f} bytes of resident memory for an idle connection, {1000 * idle_share:.0f} ms/s of a core for "
              f"{IDLE} ... ", end="", flush=True)
        if RESIDENT_MAX is not None:
            self.assertLess(each, RESIDENT_MAX)
            self.assertLess(idle_share, 0.2)
        batch, rounds = {"data": [[1, 20], [3, 40], [5, 60]]}, 200
        for i in range(rounds):
            answer = client.request("POST", self.path("bn", "train"), json.dumps(batch))
            self.assertEqual((answer.status, answer.json["num_batches_tracked"]), (200, i + 1))
            infer = client.request("POST", self.path("bn", "infer"), json.dumps(batch))
            self.assertEqual(infer.status, 200)
        statistics = client.request("GET", self.path("bn", "statistics")).json
        self.assertClose(statistics["running_mean"]["data"], [3 * (1 - 0.9**rounds), 40 * (1 - 0.9**rounds)], rtol=1e-9)
        client.close()
        for holder in holders:
            left, served = holder.communicate("", timeout=60 * PATIENCE)[0].split()
            self.assertEqual((int(left), int(served)), (IDLE // HOLDERS, len(range(0, IDLE // HOLDERS, 20))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        unittest.main()
