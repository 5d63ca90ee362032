# SPDX-License-Identifier: MIT
"""A disk that is full: writes are refused as such and change nothing, reads go on,
and with space again writes do too."""

import os
import re
import unittest

from normd import Daemon, wait_for
from small_disk import start_on_small_disk


class FullDisk(unittest.TestCase):
    def setUp(self):
        start_on_small_disk(self, "1m")

    def fill(self):
        """Makes a file of all the space that is left."""
        ballast = os.path.join(self.disk, "ballast")
        with open(ballast, "wb") as f, self.assertRaises(OSError):
            while True:
                os.write(f.fileno(), b"x" * 4096)
        return ballast

    def test_a_store_in_memory_is_said_so(self):
        wait_for(lambda: "is lost when the machine restarts" in self.daemon.log(), "the log says so")

    def test_storage_full(self):
        base = "/v1/models/m/layers/"
        put = lambda name: self.daemon.curl("PUT", base + name, {"kind": "batch_norm"})
        self.assertEqual(put("first").status, 201)
        self.assertEqual(self.daemon.curl("POST", base + "first/train", {"data": [[1], [3]]}).status, 200)
        ballast = self.fill()
        rows = [[float(i + j) for i in range(4000)] for j in range(2)]
        statuses = []
        for i in range(4):
            put(f"l{i}")
            answer = self.daemon.curl("POST", base + "first/train", {"data": [[1], [3]]})
            statuses.append((answer.status, answer.json.get("code")))
        self.assertIn((507, "storage_full"), statuses)
        acknowledged = 1 + sum(status == 200 for status, _ in statuses)
        statistics = self.daemon.curl("GET", base + "first/statistics").json
        self.assertEqual((statistics["num_batches_tracked"], statistics["revision"]), (acknowledged, acknowledged))
        self.assertEqual(self.daemon.curl("POST", base + "first/infer", {"data": [[1]]}).status, 200)
        ready = self.daemon.curl("GET", "/v2/health/ready")
        self.assertEqual((ready.status, ready.code), (503, "storage_unavailable"))
        os.unlink(ballast)
        answer = self.daemon.curl("POST", base + "first/train", {"data": [[1], [3]]})
        self.assertEqual((answer.status, answer.json.get("num_batches_tracked")), (200, acknowledged + 1))
        self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 200)
        self.assertEqual(put("wide").status, 201)
        self.assertEqual(self.daemon.curl("POST", base + "wide/train?output=false", {"data": rows}).status, 200)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.daemon.curl("GET", base + "first/statistics").json["num_batches_tracked"],
                         acknowledged + 1)

    def test_ready_again_without_a_change(self):
        """Behind a load balancer no change comes to a daemon that is not ready."""
        failures = lambda: int(re.search(r"^normd_store_commit_failures_total (\d+)$",
                                         self.daemon.curl("GET", "/metrics").body, re.M)[1])
        ready = lambda: self.daemon.curl("GET", "/v2/health/ready").status
        ballast, i = self.fill(), 0
        while self.daemon.curl("PUT", f"/v1/models/m/layers/l{i}", {"kind": "batch_norm"}).status != 507:
            i += 1
        self.assertEqual(ready(), 503)
        before = failures()
        wait_for(lambda: failures() >= before + 2, "normd tries by itself whether it can write", pause_s=0.2)
        self.assertEqual(ready(), 503)
        os.unlink(ballast)
        wait_for(lambda: ready() == 200, "ready again")

    def test_freezing(self):
        layer, frozen, revision, statuses = "/v1/models/m/layers/bn", False, 0, []
        self.daemon.curl("PUT", layer, {"kind": "batch_norm"})

        def set_to(wanted, path):
            nonlocal frozen, revision
            answer = self.daemon.curl("PUT", path + "/frozen", {"frozen": wanted})
            if answer.status == 200:
                revision += wanted != frozen
                frozen = wanted
            self.assertEqual(self.daemon.curl("GET", layer + "/frozen").json, {"frozen": frozen, "revision": revision})
            statuses.append((answer.status, answer.json.get("code")))

        ballast = self.fill()
        for _ in range(3):
            for path in (layer, "/v1/models/m"):
                set_to(not frozen, path)
        self.assertIn((507, "storage_full"), statuses)
        os.unlink(ballast)
        set_to(not frozen, "/v1/models/m")
        set_to(not frozen, layer)
        self.assertEqual(statuses[-2:], [(200, None)] * 2)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.daemon.curl("GET", layer + "/frozen").json, {"frozen": frozen, "revision": revision})

    def test_versions(self):
        """Making one, publishing it, naming it, and the first update after it, which copies the state."""
        model, layer, made, batches = "/v1/models/m", "/v1/models/m/layers/bn", [1], 1
        moved, now = {model + "/serving": (1, "live"), model + "/aliases/a": (1, 2)}, {}
        statuses = {path: [] for path in moved}
        rows = [[i * 0.5 for i in range(200)], [i * 0.25 for i in range(200)]]
        pinned = layer + "/infer?version=1"
        self.daemon.curl("PUT", layer, {"kind": "batch_norm", "num_features": 200})

        def ask(method, path, body=None):
            answer = self.daemon.curl(method, path, body)
            statuses.setdefault(path, []).append(answer.status)
            self.assertIn(answer.status, (200, 201, 507), answer)
            return answer

        def change():
            nonlocal batches
            batches += ask("POST", layer + "/train?output=false", {"data": rows}).status == 200
            if (answer := ask("POST", model + "/versions")).status == 201:
                made.append(answer.json["version"])
            for path, targets in moved.items():
                target = targets[len(statuses[path]) % 2]
                if ask("PUT", path, {"version": target}).status != 507:
                    now[path] = target

        def check():
            listed = self.daemon.curl("GET", model + "/versions").json["versions"]
            self.assertEqual([version["version"] for version in listed], made)
            self.assertEqual(self.daemon.curl("GET", layer + "/statistics").json["num_batches_tracked"], batches)
            self.assertEqual(self.daemon.curl("POST", pinned, {"data": rows}).raw, before)
            self.assertEqual({path: self.daemon.curl("GET", path).json["version"] for path in moved}, now)

        self.daemon.curl("POST", layer + "/train", {"data": rows})
        self.daemon.curl("POST", model + "/versions")
        change()
        before = self.daemon.curl("POST", pinned, {"data": rows}).raw
        ballast = self.fill()
        for _ in range(12):
            change()
            check()
        self.assertEqual([path for path in statuses if 507 not in statuses[path]], [])
        os.unlink(ballast)
        change()
        self.assertEqual([path for path in statuses if statuses[path][-1] == 507], [])
        self.daemon.kill()
        self.daemon.start()
        check()
        self.assertEqual(made, sorted(set(made)))

    def test_sources(self):
        layer, totals, statuses, revision = "/v1/models/m/layers/bn", {}, [], 0
        path = layer + "/statistics/sources/"
        self.daemon.curl("PUT", layer, {"kind": "batch_norm", "averaging": "pooled", "num_features": 200})

        def put(name, count):
            nonlocal revision
            answer = self.daemon.curl("PUT", path + name, {"count": count, "mean": [count] * 200, "var": [1] * 200})
            statuses.append((answer.status, answer.json.get("code")))
            if answer.status == 200:
                totals[name] = count
                revision += 1

        def check():
            told = self.daemon.curl("GET", layer + "/statistics").json
            self.assertEqual((told["count"], told["revision"]), (sum(totals.values()), revision))
            listed = self.daemon.curl("GET", layer + "/statistics/sources").json["sources"]
            self.assertEqual({entry["source"]: entry["count"] for entry in listed}, totals)

        put("w0", 1)
        ballast = self.fill()
        for i in range(2, 10):
            put(f"w{i % 4}", i)
            check()
        self.assertIn((507, "storage_full"), statuses)
        os.unlink(ballast)
        put("w0", 20)
        self.assertEqual(statuses[-1], (200, None))
        check()
        self.assertEqual(self.daemon.curl("DELETE", path + "w0").status, 204)
        del totals["w0"]
        revision += 1
        self.daemon.kill()
        self.daemon.start()
        check()


class Deletion(unittest.TestCase):
    """What is deleted is not written once more: that would take time, and room where there is none."""

    def test_little_is_written(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        features = 50000
        totals = {"count": 2, "mean": [0.5] * features, "var": [1] * features}
        log = daemon.store[len("sqlite:"):] + "-wal"
        for layer in ("a", "b", "c"):
            self.assertEqual(daemon.curl("PUT", f"/v1/models/{layer}/layers/bn", {
                "kind": "batch_norm", "averaging": "pooled"}).status, 201)
            for source in range(5):
                self.assertEqual(daemon.curl("PUT", f"/v1/models/{layer}/layers/bn/statistics/sources/w{source}",
                                             totals).status, 200)
        for path, status in (("/v1/models/a/layers/bn", 204), ("/v1/models/b", 204),
                             ("/v1/models/c/layers/bn/statistics", 200)):
            daemon.stop()
            daemon.start()
            self.assertEqual(daemon.curl("DELETE", path).status, status)
            self.assertLess(os.path.getsize(log), 16 * features)


if __name__ == "__main__":
    unittest.main()
