# SPDX-License-Identifier: MIT
"""The history of layers: each entry is what the statistics were at its revision, through restarts and kills."""

import datetime
import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time

import numpy

import old_store
from normd import NORMD, ClientTest, Daemon, DaemonTest, wait_for

RANDOM = numpy.random.default_rng(14)
# So long that none ends while a test runs.
INTERVAL_S = 100 * 86400


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def seconds(text):
    moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp())


def batch(features):
    return {"data": RANDOM.normal(RANDOM.uniform(-9, 9), 3, (5, features)).tolist()}


class Past(DaemonTest):
    """A layer that changed long ago: the test moves its times while no daemon has the store."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, "normd.db")
        self.daemon = Daemon("--history-interval", "100d", store="sqlite:" + self.file)
        self.addCleanup(self.daemon.close)
        self.expected = {}  # by revision: what an entry shows

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def age(self, back_s, kill=False):
        """All that has happened happened `back_s` earlier."""
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop()
        db = sqlite3.connect(self.file)
        with db:
            db.execute("UPDATE state SET changed_s = changed_s - ? WHERE changed_s <> 0", (back_s,))
            db.execute("UPDATE history SET time_s = time_s - ?", (back_s,))
        db.close()
        self.daemon.start()

    def note(self, layer="bn"):
        """What is to be expected of the layer's present state."""
        s = self.call("GET", self.path(layer, "statistics")).json
        self.expected[s["revision"]] = {"num_batches_tracked": s["num_batches_tracked"],
                                        "mean": spread(s["running_mean"]["data"]),
                                        "var": spread(s["running_var"]["data"]), "drift": None}

    def train(self, features, layer="bn"):
        self.call("POST", self.path(layer, "train"), batch(features))
        self.note(layer)

    def history(self, layer="bn", query=""):
        page = self.call("GET", self.path(layer, "history") + query).json
        self.assertEqual(set(page), {"history", "next"})
        return page

    def entries(self, layer="bn"):
        """All entries, without their times; each must be as it was noted."""
        page = self.history(layer)
        self.assertIsNone(page["next"])
        for entry in page["history"]:
            shown = {name: value for name, value in entry.items() if name not in ("time", "revision")}
            self.assertEqual(shown, self.expected[entry["revision"]], entry)
        return [(entry["revision"], entry["time"]) for entry in page["history"]]

    def check(self):
        done = subprocess.run([NORMD, "check", "--store", "sqlite:" + self.file], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_each_entry_is_what_the_statistics_were(self):
        for layer, features in (("bn", 5), ("even", 8), ("one", 1)):
            self.put_layer(layer)
            self.expected = {}
            self.assertEqual(self.history(layer), {"history": [], "next": None})
            began = int(time.time())
            for i in range(3):
                self.train(features, layer)
                self.train(features, layer)
                self.assertEqual([revision for revision, _ in self.entries(layer)], [2 * i + 2, *range(2 * i, 0, -2)])
                self.age(2 * INTERVAL_S, kill=i == 1)
            times = [seconds(at) for _, at in self.entries(layer)]
            self.assertEqual(len(times), 3)
            for i, at in enumerate(times):
                self.assertGreaterEqual(at, began - (i + 1) * 2 * INTERVAL_S)
                self.assertLessEqual(at, int(time.time()) - (i + 1) * 2 * INTERVAL_S)
        self.daemon.stop()
        self.check()
        self.daemon.start()

    def test_one_entry_an_interval(self):
        self.put_layer()
        self.train(3)
        self.age(INTERVAL_S)
        for _ in range(20):
            self.train(3)
        self.assertEqual([revision for revision, _ in self.entries()], [21, 1])

    def test_changes_of_every_kind(self):
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "pooled", "num_features": 2})
        numbers = {"count": 3, "mean": [1, 5], "var": [2, 4]}
        changes = [("PUT", "parameters", {"weight": [1, 2], "bias": [0, 0]}),
                   ("POST", "statistics/merge", numbers),
                   ("PUT", "frozen", {"frozen": True}),
                   ("PUT", "frozen", {"frozen": False}),
                   ("DELETE", "statistics", None),
                   ("PUT", "statistics/sources/a", numbers),
                   ("PUT", "statistics", {"running_mean": [7, 8], "running_var": [1, 3], "num_batches_tracked": 9,
                                          "count": 5})]
        for method, call, body in changes:
            self.call(method, self.path("bn", *call.split("/")), body)
            self.note()
            self.age(2 * INTERVAL_S)
        # The first change was made before there were statistics.
        self.assertEqual([revision for revision, _ in self.entries()], list(range(len(changes), 1, -1)))
        self.assertEqual(self.history()["history"][2]["var"], {"min": 1, "median": 1, "max": 1})
        # All layers at once: the state has another revision, but is no other entry.
        at = self.entries()[0][1]
        self.call("PUT", f"/v1/models/{self.model}/frozen", {"frozen": True})
        self.note()
        self.assertEqual(self.entries()[0], (len(changes) + 1, at))
        self.assertEqual(len(self.entries()), len(changes) - 1)

    def test_pages(self):
        self.put_layer()
        for _ in range(6):
            self.train(2)
            self.age(2 * INTERVAL_S)
        whole = self.history()
        self.assertEqual([entry["revision"] for entry in whole["history"]], [6, 5, 4, 3, 2, 1])
        for limit in range(1, 8):
            entries, query = [], f"?limit={limit}"
            while True:
                page = self.history(query=query)
                entries += page["history"]
                if page["next"] is None:
                    break
                self.assertEqual(len(page["history"]), limit)
                query = f"?limit={limit}&after={page['next']}"
            self.assertEqual(entries, whole["history"], limit)
        # What comes in between is on no later page.
        first = self.history(query="?limit=2")
        self.train(2)
        self.assertEqual(self.history(query=f"?after={first['next']}")["history"], whole["history"][2:])
        self.assertEqual(self.history(query="?after=1"), {"history": [], "next": None})
        self.assertEqual(self.history(query=f"?after={2**63 - 1}")["history"], whole["history"])

    def test_a_layer_of_the_same_name_begins_anew(self):
        self.put_layer()
        self.train(2)
        self.age(2 * INTERVAL_S)
        self.train(2)
        self.assertEqual(len(self.entries()), 2)
        self.call("DELETE", self.path())
        self.refused("no_such_layer", 404, "GET", self.path("bn", "history"))
        self.put_layer()
        self.assertEqual(self.entries(), [])
        self.train(2)
        self.assertEqual([revision for revision, _ in self.entries()], [1])
        self.daemon.stop()
        self.check()
        self.daemon.start()


class Old(DaemonTest):
    """Stores of earlier versions do not say when a layer changed."""

    definition = ('{"kind":"batch_norm","convention":"pytorch","num_features":null,"eps":0.00001,"momentum":0.1,'
                  '"averaging":"exponential","affine":true,"track_running_stats":true,"channel_axis":1,'
                  '"unbiased_running_var":true,"virtual_batch_size":null,"shuffle":false,"renorm":null,"clip":null,'
                  '"datatype":"FP64"}')

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def test_their_time_is_not_known(self):
        folder = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, folder)
        for version in old_store.VERSIONS:
            file = os.path.join(folder, f"{version}.db")
            old_store.make(file, version, {"l": (self.definition, 5, 5, 0, [0.25, 2.0], [1.75, 10.5])})
            self.daemon = Daemon(store="sqlite:" + file)
            self.addCleanup(self.daemon.close)
            began = int(time.time())
            path = "/v1/models/m/layers/l/"
            self.assertEqual(self.call("GET", path + "history").json["history"], [
                {"time": None, "revision": 5, "num_batches_tracked": 5, "mean": spread([0.25, 2.0]),
                 "var": spread([1.75, 10.5]), "drift": None}])
            self.call("POST", path + "train", batch(2))
            entry, = self.call("GET", path + "history").json["history"]
            self.assertEqual(entry["revision"], 6)
            self.assertGreaterEqual(seconds(entry["time"]), began)


class Present(ClientTest):
    """Without moving times: the daemon's own clock, with intervals of a second."""

    daemon_args = ("--history-interval", "1s")

    def history(self, layer="bn"):
        return self.ask("GET", self.path(layer, "history"))

    def train_until(self, count):
        """Trains until the history has so many entries; gives it, without the present state."""
        def more():
            self.ask("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 5]]})
            entries = self.history().json["history"]
            return entries if len(entries) >= count else None

        return wait_for(more, f"{count} entries", pause_s=0.05)[1:]

    def test_intervals_go_by(self):
        self.put_layer()
        entries = self.train_until(3)
        times = [seconds(entry["time"]) for entry in entries]
        self.assertEqual(times, sorted(set(times), reverse=True))
        answer = self.history()
        self.assertEqual(answer.headers["etag"], f'"{answer.json["history"][0]["revision"]}"')
        # A kill takes nothing back, and what was there stays as it was.
        self.daemon.kill()
        self.daemon.start()
        self.client.close()
        self.client = self.daemon.client()
        self.assertEqual(self.history().json, answer.json)
        self.assertEqual([entry for entry in self.train_until(5) if entry in entries], entries)

    def test_refused(self):
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [2]})
        self.put_layer("still", {"kind": "batch_norm", "track_running_stats": False})
        self.put_layer()
        for layer in ("ln", "still"):
            self.assertEqual(self.ask("GET", self.path(layer, "history"), status=400).code, "bad_parameter")
        for query in ("limit=0", "limit=1001", "limit=x", "after=0", "after=-1", "after=x", "after=", "after=1.5",
                      f"after={2**63}", "after=99999999999999999999999", "version=live", "afer=1"):
            answer = self.ask("GET", self.path("bn", "history") + "?" + query, status=400)
            self.assertEqual(answer.code, "bad_parameter", query)
        self.assertEqual(self.ask("GET", self.path("none", "history"), status=404).code, "no_such_layer")
        self.assertEqual(self.ask("GET", "/v1/models/none/layers/l/history", status=404).code, "no_such_model")
        self.assertEqual(self.ask("PUT", self.path("bn", "history"), {}, status=405).headers["allow"],
                         "GET, HEAD, OPTIONS")
