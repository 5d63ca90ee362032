# SPDX-License-Identifier: MIT
"""The command line: options, environment, help, and how the daemon ends."""

import os
import re
import signal
import socket
import subprocess
import time
import unittest

from normd import NORMD, PATIENCE, Client, Daemon, wait_for
from tables import settings


def run(*args, env=None):
    return subprocess.run([NORMD, *args], capture_output=True, text=True, timeout=60 * PATIENCE,
                          env={**os.environ, **(env or {})})


class Options(unittest.TestCase):
    def test_help_names_every_option_and_variable(self):
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreaterEqual(len(settings()), 25)
        for row in settings():
            self.assertRegex(done.stdout, rf"(?m)^  --{row.name}( |$)")
            self.assertIn(f"({row.variable}{'; ' if row.takes and row.default else ')'}", done.stdout)

    def test_every_setting_has_one_name_in_all_places(self):
        """NORMD_MAX_BODY for --max-body; the settings of a group stand together."""
        rows = settings()
        for row in rows:
            self.assertEqual(row.variable, "NORMD_" + row.name.upper().replace("-", "_"))
        groups = [row.group for row in rows]
        self.assertEqual(sorted(set(groups), key=groups.index), [g for k, g in enumerate(groups)
                                                                 if k == 0 or groups[k - 1] != g])

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^normd \d+\.\d+\.\d+\n$")

    def test_what_is_wrong_is_named_and_exits_2(self):
        for args, words in ((["--lisen", "x"], "--lisen"), (["--listen"], "--listen needs"),
                            (["--listen", "8080"], "ADDR:PORT"),
                            (["--listen", "127.0.0.1:99999"], "99999"), (["--threads", "many"], "many"),
                            (["--threads", "257"], "257"), (["--max-body", "0"], "--max-body"),
                            (["--max-body", "-1"], "--max-body"),
                            (["--max-body", "1TiB"], "--max-body"), (["--max-body", "99999999GiB"], "--max-body"),
                            (["--max-import", "0"], "--max-import"), (["--max-import", "16 GiB"], "--max-import"),
                            (["--max-memory", "-1"], "--max-memory"),
                            (["--max-memory", "64MiB"], "raise it, or lower --threads or --max-body"),
                            (["--max-memory", "1"], "is 1 bytes"),
                            (["--drain-timeout", "-5"], "--drain-timeout"),
                            (["--client-timeout", "0"], "from 1 to 86400"),
                            (["--sync-timeout-max", "0"], "from 1 to 3600"),
                            (["--sync-timeout-max", "61m"], "from 1 to 3600"),
                            (["--client-timeout", "86401"], "from 1 to 86400"),
                            (["--client-timeout", "2 m"], "such as 90s"),
                            (["--key-lifetime", "0"], "from 1 to"), (["--key-lifetime", "1w"], "such as 90s"),
                            (["--key-lifetime", "99999999999999999999d"], "--key-lifetime"),
                            (["--key-lifetime", ""], "--key-lifetime"),
                            (["--history-interval", "0"], "from 1 to"), (["--history-interval", "off"], "such as 90s"),
                            (["--store", "sqlite::memory:"], "would be lost"),
                            (["--store", "sqlite:file:x?mode=memory"], "not a URI"),
                            (["--store", "sqlite:"], "without a path"),
                            (["--store", "mysql://x"], "sqlite:PATH"), (["--max-keys", "0"], "from 1 to"),
                            (["--max-keys", "16M"], "--max-keys"), (["--drain-timeout", "25h"], "86400"),
                            (["--log-level", "loud"], "loud"), (["--log-format", "xml"], "xml"), (["serve"], "serve")):
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_suggestions(self):
        for args, meant in ((["--lisen", "x"], "--listen"), (["--max_body", "1"], "--max-body"),
                            (["--thread=2"], "--threads"), (["--log-level", "warning"], "warn"),
                            (["--log-format", "JSON"], "json"), (["chek"], "check"),
                            (["check", "--stor", "x"], "--store"), (["restore", "--form", "x"], "--from")):
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(f'did you mean "{meant}"?', done.stderr)
        self.assertNotIn("did you mean", run("--quiet").stderr)

    def test_a_flag_wins_over_its_variable(self):
        self.assertEqual(run(env={"NORMD_THREADS": "nonsense"}).returncode, 2)
        daemon = Daemon("--log-format", "text", env={"NORMD_LOG_FORMAT": "json", "NORMD_MAX_BODY": "1kB"})
        self.addCleanup(daemon.close)
        # The port is told before the line is written, which another thread does.
        wait_for(lambda: "listening" in daemon.log(), "it says that it listens")
        self.assertRegex(daemon.log(), r"(?m)^20\S+Z info  listening address=127.0.0.1 port=\d+")
        self.assertEqual(daemon.curl("POST", "/v1/normalize", b" " * 1001).code, "body_too_large")
        self.assertEqual(daemon.curl("POST", "/v1/normalize", b" " * 1000).code, "bad_json")

    def test_equals_sign_form(self):
        daemon = Daemon("--max-body=1kB", "--log-format=text")
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("POST", "/v1/normalize", b" " * 1001).code, "body_too_large")

    def test_a_parent_that_has_closed_the_standard_streams(self):
        """The log's lines must not go to a file or a client that has got the number of standard error."""

        class Closed(Daemon):
            def command(self):
                return ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *super().command()]

        daemon = Closed()
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("GET", "/v1/models").status, 200)
        self.assertEqual({os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}") for fd in range(3)}, {"/dev/null"})

    def test_a_taken_port_is_said_so(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            daemon = Daemon(start=False)
            self.addCleanup(daemon.close)
            done = run("--listen", f"127.0.0.1:{port}", "--store", daemon.store)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"port {port} of 127.0.0.1 is taken", done.stderr)
            self.assertFalse(os.path.exists(daemon.store[len("sqlite:"):]), "and no file is made")

    def test_a_port_file_that_cannot_be_written(self):
        daemon = Daemon(start=False)
        self.addCleanup(daemon.close)
        done = run("--listen", "127.0.0.1:0", "--store", daemon.store, "--port-file", "/no/such/folder/port")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/no/such/folder/port", done.stderr)

    def test_an_old_port_file_in_a_folder_of_its_own_is_replaced(self):
        """There the sandbox lets normd replace files, and read none."""
        daemon = Daemon(start=False)
        self.addCleanup(daemon.close)
        path = os.path.join(daemon.directory, "run", "port")
        os.mkdir(os.path.dirname(path))
        for old in ("", "65535\n"):
            with open(path, "w") as f:
                f.write(old)
            before = os.stat(path).st_ino
            process = subprocess.Popen([*daemon.command(), "--port-file", path], stderr=subprocess.PIPE, text=True)
            wait_for(lambda: process.poll() is not None or os.stat(path).st_ino != before, "it is new, or normd ended")
            process.terminate()
            self.assertIn('"message":"listening"', process.communicate(timeout=60 * PATIENCE)[1])
            self.assertEqual(process.returncode, 0)

    def test_a_port_file_replaces_nothing_but_a_port(self):
        """The store is named by mistake: it has just been made, or it is an old one."""
        daemon = Daemon(start=False)
        self.addCleanup(daemon.close)
        path = daemon.store[len("sqlite:"):]
        for _ in range(2):
            done = run("--listen", "127.0.0.1:0", "--store", daemon.store, "--port-file", path)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"cannot write {path}: it has other contents than a port", done.stderr)
            with open(path, "rb") as f:
                self.assertEqual(f.read(15), b"SQLite format 3")

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("this machine has no IPv6 loopback")
        daemon = Daemon("--listen", "[::1]:0")
        self.addCleanup(daemon.close)
        done = subprocess.run(["curl", "-sS", f"http://[::1]:{daemon.port}/v2/health/live"], capture_output=True,
                              text=True)
        self.assertEqual(done.stdout, '{"live":true}')


class Stop(unittest.TestCase):
    def test_sigterm_and_sigint_exit_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = Daemon()
            process, daemon.process = daemon.process, None
            process.send_signal(number)
            self.assertEqual(process.wait(30 * PATIENCE), 0)
            self.assertEqual([line["message"] for line in daemon.log_lines()], ["listening", "draining", "stopped"])
            daemon.close()

    def test_a_request_under_way_is_finished(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})
        body = b'{"data":[[1],[2],[4]]}'
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30 * PATIENCE) as s:
            s.sendall(b"POST /v1/models/m/layers/bn/train HTTP/1.1\r\nHost: localhost\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body[:9])
            time.sleep(0.3)
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            self.assertIsNone(daemon.process.poll(), "it waits for the request")
            with self.assertRaises(OSError):  # and takes no new connection
                socket.create_connection(("127.0.0.1", daemon.port), timeout=5).close()
            s.sendall(body[9:])
            answer = s.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        process, daemon.process = daemon.process, None
        self.assertEqual(process.wait(30 * PATIENCE), 0)
        daemon.start()
        self.assertEqual(daemon.curl("GET", "/v1/models/m/layers/bn/statistics").json["num_batches_tracked"], 1)

    def test_a_new_request_while_it_drains_is_told(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        idle = Client(daemon.port)
        self.assertEqual(idle.request("GET", "/v2/health/ready").status, 200)
        with socket.create_connection(("127.0.0.1", daemon.port)) as busy:
            busy.sendall(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
            time.sleep(0.3)
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            answer = idle.request("GET", "/v2/health/ready")
            self.assertEqual((answer.status, answer.code), (503, "shutting_down"))
            self.assertEqual(answer.headers["connection"].lower(), "close")

    def test_the_drain_timeout_ends_it(self):
        daemon = Daemon("--drain-timeout", "1")
        self.addCleanup(daemon.close)
        with socket.create_connection(("127.0.0.1", daemon.port)) as s:
            s.sendall(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
            time.sleep(0.3)
            began = time.monotonic()
            process, daemon.process = daemon.process, None
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30 * PATIENCE), 0)
            self.assertLess(time.monotonic() - began, 10 * PATIENCE)
        self.assertEqual(daemon.log_lines()[-1]["requests_cut"], 1)


if __name__ == "__main__":
    unittest.main()
