# SPDX-License-Identifier: MIT
"""The sandbox of a running daemon. What it denies is proved in tests/unit/test_sandbox.c."""

import os
import subprocess
import sys
import unittest

from normd import NORMD, Daemon, DaemonTest, wait_for

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


class Refusal(unittest.TestCase):
    @unittest.skipIf(UNDER_VALGRIND, "valgrind knows no Landlock")
    def test_require_does_not_start_where_a_part_is_missing(self):
        done = subprocess.run([*LIMITED, "landlock_create_ruleset=EOPNOTSUPP", "--", NORMD, "--listen", "127.0.0.1:0",
                               "--store", "sqlite:/nowhere/normd.db", "--sandbox", "require"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("landlock is off: landlock_create_ruleset: the kernel's Landlock is disabled", done.stderr)

    def test_try_does_without_it_and_says_so(self):
        daemon = LimitedDaemon()
        self.addCleanup(daemon.close)
        self.assertEqual(listening(daemon)["landlock"], "off: landlock_create_ruleset: the kernel has no Landlock")
        wait_for(lambda: any(line["level"] == "warn" and "sandbox" in line["message"] for line in daemon.log_lines()),
                 "a warning")
        self.assertEqual(daemon.curl("GET", "/v2/health/ready").status, 200)

    def test_off_is_off(self):
        daemon = Daemon("--sandbox", "off")
        self.addCleanup(daemon.close)
        line = listening(daemon)
        self.assertEqual((line["landlock"], line["seccomp"], line["no_new_privs"]), ("off", "off", "off"))
        self.assertFalse(any("sandbox" in line["message"] for line in daemon.log_lines()))


if __name__ == "__main__":
    unittest.main()
