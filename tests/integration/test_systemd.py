# SPDX-License-Identifier: MIT
"""What systemd is told: when the daemon is ready, reads again and stops, and that it is alive while all its threads
are."""

import os
import signal
import socket
import time
import unittest

from normd import BUILD, PATIENCE, wait_for
from systemd import Managed

HANG = os.path.join(BUILD, "tests/daemons/hang")
WATCHDOG_S = 0.4 * PATIENCE


class Managing(unittest.TestCase):
    def start(self, *args, **options):
        self.daemon = Managed(*args, **options)
        self.addCleanup(self.daemon.close)
        self.manager = self.daemon.manager


class Told(Managing):
    def statuses(self, messages):
        return [message["STATUS"] for message in messages if "STATUS" in message]

    def test_a_life(self):
        """By a path and by an abstract name."""
        for abstract in (False, True):
            self.start("--drain-delay", "1", "--drain-timeout", "7", abstract=abstract)
            started = self.manager.until("READY", "1")
            self.assertIn("Opening the store", self.statuses(started))
            self.assertGreater(int(next(m["EXTEND_TIMEOUT_USEC"] for m in started if "EXTEND_TIMEOUT_USEC" in m)), 90e6)
            self.assertEqual(started[-1],
                             {"READY": "1", "STATUS": f"Serving HTTP on 127.0.0.1, port {self.daemon.port}"})
            self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 200, "it is ready when it says so")
            before_us = time.monotonic_ns() // 1000
            self.daemon.process.send_signal(signal.SIGHUP)
            reloading, ready = self.manager.until("READY", "1")
            self.assertEqual(reloading["RELOADING"], "1")
            self.assertLessEqual(before_us, int(reloading["MONOTONIC_USEC"]))
            self.assertLessEqual(int(reloading["MONOTONIC_USEC"]), time.monotonic_ns() // 1000)
            self.assertEqual(ready["STATUS"], started[-1]["STATUS"])
            self.daemon.stop()
            stopping, *rest = self.manager.rest()
            self.assertEqual(stopping["STOPPING"], "1")
            self.assertGreater(int(stopping["EXTEND_TIMEOUT_USEC"]), 8e6)
            self.assertEqual([status.split()[0] for status in self.statuses(rest)], ["Not", "Finishing", "Closing"])

    def test_a_start_that_fails_is_never_ready(self):
        self.start(start=False)
        with open(self.daemon.store[len("sqlite:"):], "w") as f:
            f.write("not a database" * 100)
        with self.assertRaisesRegex(AssertionError, "not a database|not an SQLite"):
            self.daemon.start()
        self.daemon.process = None
        self.assertFalse([m for m in self.manager.rest() if "READY" in m])

    def test_signals_while_it_stops_do_not_make_it_ready(self):
        self.start("--drain-delay", "600")
        self.manager.until("READY", "1")
        self.daemon.process.send_signal(signal.SIGTERM)
        self.manager.until("STATUS", "Not ready")
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "nothing to reload" in self.daemon.log(), "the reload is logged")
        self.daemon.stop()
        self.assertFalse([m for m in self.manager.rest() if "READY" in m or "RELOADING" in m])

    def test_sockets_that_cannot_be_used_are_said_so_and_no_failure(self):
        for name in ("relative", "/", "@", "/" + "x" * 200, "vsock:2:1"):
            self.start("--log-level", "debug", env={"NOTIFY_SOCKET": name})
            self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 200)
            self.daemon.stop()
            self.assertIn("NOTIFY_SOCKET is not", self.daemon.log())
        self.start("--log-level", "debug", env={"NOTIFY_SOCKET": "/nonexistent/notify"})
        self.daemon.stop()
        levels = [line["level"] for line in self.daemon.log_lines() if line["message"] == "systemd cannot be told"]
        self.assertEqual(levels[:2], ["warn", "debug"], "one warning, not one for each message")
        self.assertEqual(levels.count("warn"), 1)

    def test_a_manager_that_reads_nothing_does_not_stop_the_daemon(self):
        self.start(watchdog_s=0.02)
        wait_for(lambda: self.full(), "the socket's buffer is full")
        self.daemon.stop()

    def full(self):
        """Whether the manager's buffer takes no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.setblocking(False)
            try:
                s.sendto(b"STATUS=full?", self.manager.name)
            except BlockingIOError:
                return True
        return False


class Watchdog(Managing):
    """WATCHDOG=1 comes while all threads wait or move, and not while one hangs."""

    def hang(self, thread, ask):
        self.start("--threads", "1", watchdog_s=WATCHDOG_S, program=HANG,
                   env={"HANG_THREAD": thread, "HANG_FILE": "/nonexistent"}, start=False)
        path = os.path.join(self.daemon.directory, "hang")
        self.daemon.env["HANG_FILE"] = path
        self.daemon.start()
        self.manager.until("WATCHDOG", "1")
        self.manager.until("WATCHDOG", "1")
        open(path, "w").close()
        try:
            ask(self.daemon.port)
            self.manager.until("STATUS", f'The thread "{thread}" hangs')
            self.assertIsNone(self.manager.next(WATCHDOG_S), "not a word while it hangs")
        finally:
            os.unlink(path)
        self.manager.until("WATCHDOG", "1")
        self.manager.until("STATUS", "Serving")
        wait_for(lambda: "the thread that hung moves again" in self.daemon.log(), "it is logged")
        self.assertIn('"a thread hangs: the watchdog is told nothing until it moves"', self.daemon.log())
        self.daemon.close()

    def sent(self, request):
        """Sends a request, whose answer nobody waits for."""
        def ask(port):
            s = socket.create_connection(("127.0.0.1", port))
            self.addCleanup(s.close)
            s.sendall(request)
        return ask

    def test_an_event_loop(self):
        self.hang("event loop", self.sent(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    def test_the_store(self):
        self.hang("store", self.sent(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    def test_a_computing_thread(self):
        body = b'{"kind":"batch_norm","data":[%s]}' % b",".join([b"[1]"] * 100000)
        self.hang("compute", self.sent(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" %
                                       len(body) + body))

    def test_the_log(self):
        self.hang("log", self.sent(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    def test_the_deadlines(self):
        self.hang("deadline", lambda port: None)

    def switches(self):
        """How often each thread but main has gone to sleep, by its id."""
        counts = {}
        tasks = f"/proc/{self.daemon.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/status") as f:
                lines = dict(line.rstrip("\n").split(":", 1) for line in f)
            if lines["Name"].strip() in ("event loop", "store", "compute", "log", "sync"):
                counts[task] = int(lines["voluntary_ctxt_switches"])
        return counts

    def test_idle_threads_are_not_woken(self):
        self.start("--threads", "2", watchdog_s=WATCHDOG_S)
        for _ in range(3):
            self.manager.until("WATCHDOG", "1")
        before = self.switches()
        for _ in range(6):
            self.manager.until("WATCHDOG", "1")
        self.assertEqual(self.switches(), before)
        self.assertEqual(len(before), 7)

    def test_it_is_not_asked_for(self):
        """By no variable, one for another process, and one that is no time."""
        for env in ({}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "20ms"},
                    {"WATCHDOG_USEC": "0"}):
            self.start(env=env)
            self.manager.until("READY", "1")
            self.assertIsNone(self.manager.next(0.1), env)
            self.daemon.close()


if __name__ == "__main__":
    unittest.main()
