# SPDX-License-Identifier: MIT
"""What becomes of windows of inference: kills, backups, checks, and what the history shows of them."""

import os
import shutil
import subprocess
import tempfile

from normd import NORMD, Daemon, DaemonTest

LAYER = "/v1/models/m/layers/bn"
BATCH = {"data": [[-1], [2]] * 60}


class Windows(DaemonTest):
    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, "normd.db")
        self.daemon = self.started(self.file)
        self.ask("PUT", LAYER, {"kind": "batch_norm"}, 201)
        self.ask("PUT", LAYER + "/statistics", {"running_mean": [0], "running_var": [1]})

    def started(self, file, *options):
        daemon = Daemon(*options, store="sqlite:" + file)
        self.addCleanup(daemon.close)
        return daemon

    def ask(self, method, path, body=None, status=200):
        answer = self.daemon.curl(method, path, body)
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def count(self):
        return self.ask("GET", LAYER + "/drift")["count"]

    def check(self, file, found=0):
        done = subprocess.run([NORMD, "check", "--store", "sqlite:" + file], capture_output=True, text=True)
        self.assertEqual(done.returncode, found, done.stderr)

    def test_a_kill_loses_what_came_since_the_last_save(self):
        self.ask("POST", LAYER + "/infer", BATCH)
        self.daemon.stop()
        self.daemon.start()
        self.ask("POST", LAYER + "/infer", BATCH)
        self.assertEqual(self.count(), 240)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.count(), 120)
        self.daemon.stop()
        self.check(self.file)

    def test_a_backup_has_the_windows_that_are_saved(self):
        self.ask("POST", LAYER + "/infer", BATCH)
        self.daemon.stop()
        self.daemon.start()
        backup, restored = (os.path.join(self.folder, name) for name in ("backup.db", "restored.db"))
        with open(backup, "wb") as f:
            f.write(self.daemon.curl("GET", "/v1/backup").raw)
        self.check(backup)
        subprocess.run([NORMD, "restore", "--from", backup, "--store", "sqlite:" + restored], check=True,
                       capture_output=True)
        told = self.ask("GET", LAYER + "/drift")
        self.daemon = self.started(restored)
        self.assertEqual(self.ask("GET", LAYER + "/drift"), told)
        self.assertEqual(told["count"], 120)

    def test_the_history_shows_drift(self):
        """Of the present state; after a restart, that of the window that was saved; without a window, none."""
        self.daemon.stop()
        self.daemon = self.started(self.file, "--history-interval", "1")
        entries = self.ask("GET", LAYER + "/history")["history"]
        self.assertEqual([each["drift"] for each in entries], [None])
        self.ask("POST", LAYER + "/infer", BATCH)
        divergence = self.ask("GET", LAYER + "/drift")["max"]["divergence"]
        entry = self.ask("GET", LAYER + "/history")["history"][0]
        self.assertEqual((entry["drift"], entry["revision"]), (divergence, 1))
        self.assertAlmostEqual(divergence, (1.25 / 2.25 * 1.25 + 0.25 / 2.25 + 0.25) / 2)
        self.daemon.stop()  # the window is saved, and after a second this makes an entry
        self.daemon = self.started(self.file, "--history-interval", "1")
        self.assertEqual(self.ask("GET", LAYER + "/history")["history"][0]["drift"], divergence)
        self.assertEqual(self.daemon.curl("DELETE", LAYER + "/drift").status, 204)
        self.ask("PUT", LAYER + "/statistics", {"running_mean": [0], "running_var": [1]})  # no row is of this state
        self.assertIsNone(self.ask("GET", LAYER + "/history")["history"][0]["drift"])
        self.daemon.stop()
        self.check(self.file)

