# SPDX-License-Identifier: MIT
"""Stores of earlier versions: they open, mean what they meant, and can be written, backed up and checked;
a store of this version is refused by those that do not know its schema."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

import old_store
from normd import NORMD, Daemon

SCHEMA = 5
# Definitions as they were stored before statistics could be kept online.
BATCH_NORM = ('{"kind":"batch_norm","convention":"pytorch","num_features":null,"eps":0.00001,"momentum":%s,'
              '"averaging":"%s","affine":true,"track_running_stats":true,"channel_axis":1,"unbiased_running_var":%s,'
              '"virtual_batch_size":null,"shuffle":false,"renorm":null,"clip":null,"datatype":"FP64"}')
LAYERS = {
    "exponential": (BATCH_NORM % ("0.1", "exponential", "true"), 1, 1, 0, [0.25, 2.0], [1.75, 10.5]),
    "cumulative": (BATCH_NORM % ("null", "cumulative", "true"), 2, 2, 0, [3.0, 20.0], [7.0, 100.0]),
    "pooled": (BATCH_NORM % ("null", "pooled", "false"), 3, 2, 6, [3.0, 20.0], [4.0, 64.0]),
    "untrained": (BATCH_NORM % ("null", "pooled", "false"), 0, 0, 0, None, None),
}
BATCH = {"data": [[1, 10], [2, 30], [6, 20]]}  # means 3 and 20, biased variances 14/3 and 200/3


def at(layer, call=""):
    return f"/v1/models/m/layers/{layer}{call}"


class Migration(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "normd.db")

    def start(self, version):
        old_store.make(self.path, version, LAYERS)
        self.daemon = Daemon(store="sqlite:" + self.path)
        self.addCleanup(self.daemon.close)

    def ask(self, method, path, body=None, headers=None, status=200):
        answer = self.daemon.curl(method, path, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer

    def statistics(self, layer):
        s = self.ask("GET", at(layer, "/statistics")).json
        return s["revision"], s["num_batches_tracked"], s.get("count", 0), s["running_mean"]["data"], \
            s["running_var"]["data"]

    def sql(self, statement, path=None):
        db = sqlite3.connect(path or self.path)
        with db:
            rows = db.execute(statement).fetchall()
        db.close()
        return rows

    def check(self, path):
        done = subprocess.run([NORMD, "check", "--store", "sqlite:" + path], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("is sound: 1 model, 4 layers", done.stdout)

    def test_statistics_stay_and_updates_mean_what_they_meant(self):
        for version in old_store.VERSIONS:
            with self.subTest(version):
                self.start(version)
                for layer, (_, *expected) in LAYERS.items():
                    if layer != "untrained":
                        self.assertEqual(self.statistics(layer), tuple(expected))
                self.assertEqual(self.ask("POST", at("untrained", "/infer"), BATCH, status=409).code, "not_trained")
                for layer in LAYERS:
                    self.ask("POST", at(layer, "/train"), BATCH)
                # 0.1 of the batch; the third of three batches; nine values of which three are new; the batch itself.
                for layer, expected in (
                        ("exponential", (2, 2, 0, [0.9 * 0.25 + 0.1 * 3, 0.9 * 2 + 0.1 * 20],
                                         [0.9 * 1.75 + 0.1 * 7, 0.9 * 10.5 + 0.1 * 100])),
                        ("cumulative", (3, 3, 0, [3, 20], [7, 100])),
                        ("pooled", (4, 3, 9, [3, 20], [(6 * 4 + 14) / 9, (6 * 64 + 200) / 9])),
                        ("untrained", (1, 1, 3, [3, 20], [14 / 3, 200 / 3]))):
                    got = self.statistics(layer)
                    self.assertEqual(got[:3], expected[:3], layer)
                    for a, b in zip(got[3] + got[4], expected[3] + expected[4]):
                        self.assertAlmostEqual(a, b, delta=1e-14 * b, msg=layer)
                self.daemon.close()
                os.unlink(self.path)

    def test_definitions_have_the_defaults_of_what_is_new(self):
        self.start(2)
        for layer in LAYERS:
            shown = self.ask("GET", at(layer)).json
            new = {"half_life": None, "normalize_by": "batch", "with_mean": True, "min_std": None}
            self.assertEqual({name: shown[name] for name in new}, new)
        self.ask("PUT", at("pooled"), {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"})
        answer = self.ask("PUT", at("pooled"), {"kind": "batch_norm", "averaging": "decayed", "half_life": 9,
                                                "datatype": "FP64"}, status=409)
        self.assertEqual(answer.code, "layer_differs")

    def test_keys_are_kept_from_the_first_update_on(self):
        for version in old_store.VERSIONS:
            with self.subTest(version):
                self.start(version)
                counts = [self.ask("POST", at("pooled", "/train"), BATCH, {"Idempotency-Key": "k"}).json
                          ["num_batches_tracked"] for _ in range(2)]
                self.assertEqual(counts, [3, 3])
                self.daemon.close()
                os.unlink(self.path)

    def test_the_file_is_one_of_this_version(self):
        """Also after a kill, whatever was stored in between."""
        for version in old_store.VERSIONS:
            with self.subTest(version):
                self.start(version)
                self.daemon.kill()
                self.daemon.start()
                self.ask("PUT", at("new"), {"kind": "batch_norm", "averaging": "decayed", "half_life": 2}, status=201)
                self.ask("POST", at("new", "/train"), BATCH)
                self.ask("DELETE", at("new"), status=204)
                self.daemon.kill()
                self.daemon.start()
                self.daemon.close()
                self.assertEqual(self.sql("PRAGMA user_version"), [(SCHEMA,)])
                self.assertEqual(self.sql("SELECT count(*) FROM source"), [(0,)])
                self.assertEqual(self.sql("SELECT DISTINCT decayed_count, frozen, sources FROM state"), [(0.0, 0, 0)])
                self.check(self.path)
                os.unlink(self.path)

    def test_backups_of_before_and_after(self):
        """A backup of an earlier version is checked as it is, and restored; so is one of the migrated store."""
        for version in old_store.VERSIONS:
            with self.subTest(version):
                before, after = (os.path.join(self.folder, name) for name in ("before.db", "after.db"))
                self.start(version)
                old_store.make(before, version, LAYERS)
                self.check(before)
                self.assertEqual(self.sql("PRAGMA user_version", before), [(version,)], "a check writes nothing")
                with open(after, "wb") as f:
                    f.write(self.ask("GET", "/v1/backup").raw)
                self.check(after)
                self.daemon.close()
                for backup in (before, after):
                    os.unlink(self.path)
                    subprocess.run([NORMD, "restore", "--from", backup, "--store", "sqlite:" + self.path], check=True,
                                   capture_output=True)
                    self.daemon = Daemon(store="sqlite:" + self.path)
                    self.addCleanup(self.daemon.close)
                    self.assertEqual(self.statistics("pooled"), LAYERS["pooled"][1:])
                    self.daemon.close()
                for path in (before, after, self.path):
                    os.unlink(path)

    def test_versions_are_made_of_what_was_there(self):
        """The first version has the states as the migration found them, and keeps them when they move on."""
        for version in old_store.VERSIONS:
            with self.subTest(version):
                self.start(version)
                for n in (1, 2):
                    self.assertEqual(self.ask("POST", "/v1/models/m/versions", {}, status=201).json["version"], n)
                    self.ask("POST", at("pooled", "/train"), BATCH)
                    self.ask("PUT", "/v1/models/m/frozen", {"frozen": True})
                    self.ask("PUT", "/v1/models/m/frozen", {"frozen": False})
                for layer in LAYERS:
                    if layer != "untrained":
                        s = self.ask("GET", at(layer, "/statistics?version=1")).json
                        self.assertEqual((s["revision"], s["running_mean"]["data"]),
                                         (LAYERS[layer][1], LAYERS[layer][4]))
                self.assertEqual(self.ask("GET", at("pooled", "/statistics?version=2")).json["num_batches_tracked"], 3)
                self.daemon.close()
                self.check(self.path)
                os.unlink(self.path)

    def test_a_store_of_a_version_to_come_is_refused_and_left_alone(self):
        """What an earlier normd says of a store of this one, which has a schema that it does not know."""
        self.start(2)
        self.daemon.close()
        self.sql(f"PRAGMA user_version={SCHEMA + 1}")
        with open(self.path, "rb") as f:
            before = f.read()
        for command in ([NORMD, "--listen", "127.0.0.1:0"], [NORMD, "check"]):
            done = subprocess.run([*command, "--store", "sqlite:" + self.path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"was made by a newer normd (schema {SCHEMA + 1}; this one knows {SCHEMA}): install that "
                          "version", done.stderr)
        with open(self.path, "rb") as f:
            self.assertEqual(f.read(), before)


if __name__ == "__main__":
    unittest.main()
