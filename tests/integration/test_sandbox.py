# SPDX-License-Identifier: MIT
"""The sandbox of a running daemon. What it denies is proved in tests/unit/test_sandbox_denied.c."""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import tls
from normd import BUILD, NORMD, PATIENCE, Daemon, DaemonTest, wait_for

INSTRUMENTED = any(name in BUILD for name in ("asan", "tsan", "coverage"))
UNDER_VALGRIND = "valgrind" in os.environ.get("NORMD_PREFIX", "")
LIMITED = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "limited_kernel.py")]


def listening(daemon):
    return wait_for(lambda: next((line for line in daemon.log_lines() if line["message"] == "listening"), None),
                    "the daemon says that it listens")


class LimitedDaemon(Daemon):
    """On a kernel that lacks Landlock."""

    def command(self):
        return [*LIMITED, "landlock_create_ruleset=ENOSYS", "--", *super().command()]


@unittest.skipIf(UNDER_VALGRIND, "valgrind knows no Landlock")
class Sandbox(DaemonTest):
    daemon_args = ("--sandbox", "require")

    def test_the_log_says_what_is_in_force(self):
        line = listening(self.daemon)
        self.assertRegex(line["landlock"], r"^abi [1-9]")
        self.assertEqual((line["seccomp"], line["no_new_privs"]), ("on", "on"))

    def test_every_thread_is_in_it(self):
        tasks = f"/proc/{self.daemon.process.pid}/task"
        threads = os.listdir(tasks)
        self.assertGreater(len(threads), 5)
        for task in threads:
            with open(f"{tasks}/{task}/status") as f:
                status = dict(line.split(":", 1) for line in f)
            self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"), task)

    def test_metrics_are_read_in_it(self):
        names = {line.split()[0] for line in self.call("GET", "/metrics").body.splitlines() if line[:1] != "#"}
        self.assertLessEqual({"process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total",
                              "process_start_time_seconds", "normd_store_file_bytes"}, names)

    def test_the_store_works_in_it(self):
        """It is written to, until its log is taken over into the file; it is copied, closed and opened again."""
        wide = {"data": [[i % 7 for i in range(20000)]] * 2}
        self.put_layer()
        for _ in range(15):  # two lists of 160 kB each
            self.call("POST", self.path("bn", "train?output=false"), wide)
        path = self.daemon.store.removeprefix("sqlite:")
        self.assertGreater(os.path.getsize(path), 320000, "nothing was taken over")
        self.assertTrue(self.call("GET", "/v1/backup").raw.startswith(b"SQLite format 3\0"))
        self.daemon.stop()
        self.assertEqual([name for name in os.listdir(os.path.dirname(path)) if name.startswith("normd.db")],
                         ["normd.db"])
        self.daemon.start()
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json["num_batches_tracked"], 15)


def make_token(path):
    return subprocess.run([NORMD, "token", "--role", "infer", "--tokens", path], check=True, capture_output=True,
                          text=True).stdout.strip()


def link(target, path):
    """Makes a symbolic link, in the place of one that is there, at one moment."""
    os.symlink(target, path + ".new")
    os.rename(path + ".new", path)


@unittest.skipIf(UNDER_VALGRIND, "valgrind knows no Landlock")
class Secrets(unittest.TestCase):
    """Files that are replaced while normd runs: tokens as Kubernetes mounts them, a certificate as certbot keeps it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        for name in ("mount/..1", "mount/..2", "live", "archive", "elsewhere"):
            os.makedirs(self.path(name))
        self.tokens = {name: make_token(self.path(name)) for name in ("mount/..1/tokens", "mount/..2/tokens",
                                                                      "elsewhere/tokens")}
        with open(self.path("elsewhere/cert.pem"), "w") as f:
            f.write("another")
        self.pairs = [tls.Pair(self.path("archive"), name) for name in ("1", "2")]
        link("..1", self.path("mount/..data"))
        link("..data/tokens", self.path("mount/tokens"))
        self.link_certificate(1)
        self.daemon = Daemon("--sandbox", "require", "--tokens", self.path("mount/tokens"), "--tls-cert",
                             self.path("live/cert.pem"), "--tls-key", self.path("live/key.pem"))
        self.addCleanup(self.daemon.close)

    def path(self, name):
        return os.path.join(self.directory, name)

    def link_certificate(self, number):
        link(f"../archive/{number}.crt", self.path("live/cert.pem"))
        link(f"../archive/{number}.key", self.path("live/key.pem"))

    def ask(self, token, pair):
        """The status for a token, from a server that must have this certificate."""
        client = http.client.HTTPSConnection("localhost", self.daemon.port, timeout=30 * PATIENCE,
                                             context=pair.context())
        client.request("GET", "/v1/models", headers={"Authorization": f"Bearer {self.tokens[token]}"})
        status = client.getresponse().status
        client.close()
        return status

    def reload(self, said, count):
        os.kill(self.daemon.process.pid, signal.SIGHUP)
        wait_for(lambda: sum(line["message"].startswith(said) for line in self.daemon.log_lines()) >= count, said)

    def test_replaced_files_are_read_again(self):
        self.assertEqual(self.ask("mount/..1/tokens", self.pairs[0]), 200)
        self.assertEqual(self.ask("mount/..2/tokens", self.pairs[0]), 401)
        link("..2", self.path("mount/..data"))
        self.link_certificate(2)
        self.reload("reloaded", 2)
        self.assertEqual(self.ask("mount/..1/tokens", self.pairs[1]), 401)
        self.assertEqual(self.ask("mount/..2/tokens", self.pairs[1]), 200)

    @unittest.skipIf(INSTRUMENTED, "such a build may read all files")
    def test_a_link_to_somewhere_else_is_not_followed(self):
        link(self.path("elsewhere/tokens"), self.path("mount/tokens"))
        link(self.path("elsewhere/cert.pem"), self.path("live/cert.pem"))
        self.reload("not reloaded", 2)
        reasons = {line["what"]: line["reason"] for line in self.daemon.log_lines() if "reason" in line}
        why = "cannot be opened: the sandbox allows only the folders in which this file was at the start; restart normd"
        self.assertEqual(reasons["tokens"], f"{self.path('mount/tokens')} {why}")
        self.assertEqual(reasons["certificates"], f"the certificate {self.path('live/cert.pem')} {why}")
        self.assertEqual(self.ask("mount/..1/tokens", self.pairs[0]), 200)
        self.assertEqual(self.ask("elsewhere/tokens", self.pairs[0]), 401)


class Refusal(unittest.TestCase):
    @unittest.skipIf(UNDER_VALGRIND, "valgrind knows no Landlock")
    def test_require_does_not_start_where_a_part_is_missing(self):
        done = subprocess.run([*LIMITED, "landlock_create_ruleset=EOPNOTSUPP", "--", NORMD, "--listen", "127.0.0.1:0",
                               "--store", "sqlite:/nowhere/normd.db", "--sandbox", "require"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("landlock is off: landlock_create_ruleset: the kernel's Landlock is disabled", done.stderr)

    def test_try_does_without_it_and_says_so(self):
        daemon = LimitedDaemon()
        self.addCleanup(daemon.close)
        self.assertEqual(listening(daemon)["landlock"], "off: landlock_create_ruleset: the kernel has no Landlock")
        wait_for(lambda: any(line["level"] == "warn" and "sandbox" in line["message"] for line in daemon.log_lines()),
                 "a warning")
        self.assertEqual(daemon.curl("GET", "/v2/health/ready").status, 200)

    def test_a_place_that_is_all_of_the_file_system_is_said_so(self):
        """By the daemon and by --check-config. SQLITE_TMPDIR stands for a store in /, which only root can make."""
        why = "--store or SQLITE_TMPDIR is / or directly in it, so normd may read and change all files"
        daemon = Daemon(env={"SQLITE_TMPDIR": "/"})
        self.addCleanup(daemon.close)
        if not UNDER_VALGRIND:
            self.assertRegex(listening(daemon)["landlock"], f"^abi [0-9]+, but {why}")
        wait_for(lambda: any("sandbox" in line["message"] for line in daemon.log_lines()), "a warning")
        for mode, code in (("off", 0), ("try", 0), ("require", 2)):
            for args in (["--check-config"], ["--listen", "127.0.0.1:0"])[:1 if code == 0 else 2]:
                done = subprocess.run([NORMD, "--store", daemon.store, "--sandbox", mode, *args], capture_output=True,
                                      text=True, env={**os.environ, "SQLITE_TMPDIR": "/"})
                self.assertEqual((done.returncode, why in done.stderr), (code, mode != "off"), done)

    def test_off_is_off(self):
        daemon = Daemon("--sandbox", "off")
        self.addCleanup(daemon.close)
        line = listening(daemon)
        self.assertEqual((line["landlock"], line["seccomp"], line["no_new_privs"]), ("off", "off", "off"))
        self.assertFalse(any("sandbox" in line["message"] for line in daemon.log_lines()))


if __name__ == "__main__":
    unittest.main()
