# SPDX-License-Identifier: MIT
"""Acknowledged updates survive restarts and kills, and no second process can open the file."""

import os
import sqlite3
import subprocess
import unittest

from normd import NORMD, Daemon


class Restart(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)

    def everything(self):
        """All that a client can read of the state."""
        read = lambda path: self.daemon.curl("GET", path).json
        state = {"models": read("/v1/models")}
        for model in state["models"]["models"]:
            state[model] = read(f"/v1/models/{model}")
            for layer in state[model]["layers"]:
                base = f"/v1/models/{model}/layers/{layer['name']}"
                state[base] = [read(base), read(base + "/parameters")]
                if layer["definition"]["kind"] == "batch_norm":
                    state[base].append(read(base + "/statistics"))
        return state

    def fill(self):
        put = lambda path, body: self.assertIn(self.daemon.curl("PUT", path, body).status, (200, 201))
        post = lambda path, body: self.assertEqual(self.daemon.curl("POST", path, body).status, 200)
        base = "/v1/models/m/layers/"
        put(base + "open", {"kind": "batch_norm"})
        put(base + "fixed", {"kind": "batch_norm"})
        put(base + "pooled", {"kind": "batch_norm", "averaging": "pooled", "num_features": 2})
        put(base + "decayed", {"kind": "batch_norm", "averaging": "decayed", "half_life": 3.3})
        put(base + "ln", {"kind": "layer_norm", "normalized_shape": [2, 2], "convention": "keras"})
        put("/v1/models/other/layers/bn", {"kind": "batch_norm", "momentum": None, "num_features": 1})
        post(base + "fixed/train", {"data": [[0.1, 2e-30], [3.3, 1e30]]})
        post(base + "pooled/train", {"data": [[0.1, 2], [3.3, 7]]})
        post(base + "pooled/train", {"data": [[0.7, 5], [9.3, -7]]})
        post(base + "decayed/train", {"data": [[0.1, 2], [3.3, 7]]})
        post(base + "decayed/train", {"data": [[0.7, 5], [9.3, -7]]})
        put(base + "fixed/parameters", {"weight": [0.1, 0.2], "bias": [0.3, 1e-300]})
        put(base + "ln/parameters", {"weight": [[0.1, 0.2], [3, 4]], "bias": [1, 2, 3, 4]})
        put("/v1/models/other/layers/bn/statistics", {"running_mean": [1e-320], "running_var": [1.7976931348623157e308],
                                                      "num_batches_tracked": 9223372036854775807})

    def test_a_restart_keeps_every_bit(self):
        self.fill()
        before = self.everything()
        self.daemon.stop()
        self.assertFalse(os.path.exists(self.daemon.store[len("sqlite:"):] + "-wal"), "a clean stop leaves one file")
        self.daemon.start()
        self.assertEqual(self.everything(), before)

    def test_a_kill_keeps_every_bit(self):
        self.fill()
        before = self.everything()
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.everything(), before)

    def test_training_goes_on_after_a_restart_as_without_one(self):
        path = "/v1/models/m/layers/"
        batches = [[[0.1 * i, -3.0 * i], [i * i, 1.0], [2.5, i]] for i in range(1, 9)]
        for layer in ("a", "b"):
            self.daemon.curl("PUT", path + layer, {"kind": "batch_norm"})
        for batch in batches:
            self.daemon.curl("POST", path + "a/train", {"data": batch})
        for i, batch in enumerate(batches):
            self.daemon.curl("POST", path + "b/train", {"data": batch})
            if i % 3 == 1:
                self.daemon.kill()
                self.daemon.start()
        a, b = (self.daemon.curl("GET", path + layer + "/statistics").json for layer in "ab")
        self.assertEqual(a, b)

    def test_deleted_is_deleted_after_a_kill(self):
        self.fill()
        self.assertEqual(self.daemon.curl("DELETE", "/v1/models/other").status, 204)
        self.assertEqual(self.daemon.curl("DELETE", "/v1/models/m/layers/fixed").status, 204)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.daemon.curl("GET", "/v1/models").json["models"], ["m"])
        self.assertEqual(self.daemon.curl("GET", "/v1/models/m/layers/fixed").code, "no_such_layer")
        self.assertEqual(self.daemon.curl("GET", "/v1/models/other/layers/bn").code, "no_such_model")


class File(unittest.TestCase):
    """A file that cannot be used is refused with a clear message and exit code 1, and stays unchanged."""

    def setUp(self):
        self.daemon = Daemon(start=False)
        self.addCleanup(self.daemon.close)
        self.path = self.daemon.store[len("sqlite:"):]

    def refused(self, *words, store=None, code=1):
        done = subprocess.run([NORMD, "--listen", "127.0.0.1:0", "--store", store or self.daemon.store],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertTrue(done.stderr.startswith("normd: "))

    def test_a_second_daemon_on_the_same_file_is_refused(self):
        self.daemon.start()
        self.daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})
        self.refused("in use by another process", self.path)
        self.assertEqual(self.daemon.curl("GET", "/v1/models").json["models"], ["m"])

    def test_a_file_that_is_no_database(self):
        with open(self.path, "w") as f:
            f.write("this is a letter, not a database\n" * 100)
        self.refused("not an SQLite database")
        with open(self.path) as f:
            self.assertTrue(f.read().startswith("this is a letter"))

    def test_a_database_of_another_program(self):
        with sqlite3.connect(self.path) as db:
            db.execute("CREATE TABLE pets(name)")
        self.refused("not a normd store")
        with sqlite3.connect(self.path) as db:
            self.assertEqual(db.execute("SELECT name FROM sqlite_schema").fetchall(), [("pets",)])

    def test_a_newer_schema(self):
        self.daemon.start()
        self.daemon.stop()
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA user_version=999")
        db.close()
        self.refused("newer normd", "999")

    def test_a_damaged_file_after_a_kill(self):
        self.daemon.start()
        for i in range(40):
            self.daemon.curl("PUT", f"/v1/models/m/layers/l{i}", {"kind": "batch_norm", "num_features": 1000})
        self.daemon.stop()
        self.daemon.start()
        self.daemon.curl("PUT", "/v1/models/m/layers/last", {"kind": "batch_norm"})
        self.daemon.kill()
        size = os.path.getsize(self.path)
        with open(self.path, "r+b") as f:
            f.seek(4096 * 2)
            f.write(b"\xff" * (size - 4096 * 2))
        self.refused("damaged")

    def test_a_folder_that_is_not_there(self):
        self.refused("cannot be opened", store="sqlite:" + os.path.join(self.daemon.directory, "no", "such", "file.db"))

    def test_a_store_of_no_known_kind(self):
        """The option is wrong, not the file."""
        self.refused("mysql", store="mysql://localhost", code=2)
        self.refused("postgresql", store="postgres:localhost/normd", code=2)

    def test_the_file_says_what_it_is(self):
        self.daemon.start()
        self.daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})
        self.daemon.stop()
        with sqlite3.connect(self.path) as db:
            self.assertEqual(db.execute("PRAGMA application_id").fetchone(), (0x6E726D64,))
            self.assertEqual(db.execute("PRAGMA user_version").fetchone(), (5,))
            self.assertEqual(db.execute("PRAGMA journal_mode").fetchone(), ("wal",))
            tables = db.execute(
                "SELECT name, strict FROM pragma_table_list WHERE schema='main' AND name NOT LIKE 'sqlite%'")
            self.assertEqual(sorted(tables),
                             [(name, 1) for name in ("alias", "drift_window", "history", "history_gone", "idempotency",
                                                     "kept", "layer", "model", "model_gone", "numbers", "parameters",
                                                     "serving", "source", "state", "version")])


if __name__ == "__main__":
    unittest.main()
