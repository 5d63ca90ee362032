# SPDX-License-Identifier: MIT
"""--max-memory: requests beyond it are told to come later, and the process stays within it."""

import http.client
import struct
import threading
import time
import unittest
from functools import partial

from normd import BUILD, PATIENCE, Client, Daemon, at_once

MIB = 1 << 20
ALONE = True  # its clients ask until there is memory, but not for ever

MAX_MEMORY = 256 * MIB
VALUES = 5_000_000
FEATURES = 100


def npy(count, features=FEATURES):
    """A float32 file of `count` values in rows of `features`."""
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (count // features, features)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H",
                                              len(head)) + head.encode() + struct.pack("<2f", 1.5, -2.5) * (count // 2)


class Full(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon("--max-memory", "256MiB", "--threads", "2")
        self.addCleanup(self.daemon.close)
        for layer in ("a", "b"):
            self.daemon.curl("PUT", f"/v1/models/m/layers/{layer}", {"kind": "batch_norm", "num_features": FEATURES})

    def ask(self, path, body, kind):
        """(status, code, Retry-After) of a request; of a large answer nothing is kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=300 * PATIENCE)
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        said = b""
        while piece := answer.read(MIB):
            said = said or piece
        connection.close()
        return answer.status, answer.status >= 400 and said.decode(), answer.headers.get("Retry-After")

    def keep_asking(self, path, body, kind):
        """Repeats a request until it is accepted; returns how often it was told to come later."""
        deadline = time.monotonic() + 120 * PATIENCE
        refused = 0
        while True:
            status, said, later = self.ask(path, body, kind)
            if status == 200:
                return refused
            if status != 503 or '"overloaded"' not in said or not int(later) > 0 or time.monotonic() > deadline:
                return status, said, later
            refused += 1
            time.sleep(0.05)

    def assert_within(self):
        if not any(name in BUILD for name in ("asan", "tsan", "coverage")):
            self.assertLessEqual(self.daemon.memory("VmHWM"), MAX_MEMORY)

    def storm(self, body, kind, clients):
        refused = at_once([partial(self.keep_asking, f"/v1/models/m/layers/{'ab'[i % 2]}/train", body, kind)
                           for i in range(clients)])
        self.assertTrue(all(isinstance(times, int) for times in refused), refused)
        self.assertGreater(sum(refused), 0, "there was never too much")
        self.assert_within()
        counts = [self.daemon.curl("GET", f"/v1/models/m/layers/{layer}/statistics").json["num_batches_tracked"]
                  for layer in "ab"]
        self.assertEqual(counts, [clients // 2] * 2)
        # All was given back: again there is room for the largest.
        for _ in range(3):
            self.assertEqual(self.ask("/v1/models/m/layers/a/infer", body, kind)[0], 200)

    def test_large_arrays(self):
        self.storm(npy(VALUES), "application/x-npy", 24)

    def test_large_json(self):
        row = ",".join(["1.5,-2.5"] * (FEATURES // 2))
        self.storm(('{"data":[' + ",".join([f"[{row}]"] * (VALUES // FEATURES)) + "]}").encode(), "application/json",
                   16)

    def test_small_requests_go_on_beside_large_ones(self):
        large = npy(VALUES)
        stop = threading.Event()
        outcome = []

        def small():
            client = Client(self.daemon.port)
            body = '{"data":[[' + ",".join(["1"] * FEATURES) + "],[" + ",".join(["2"] * FEATURES) + "]]}"
            while not stop.is_set():
                outcome.append(client.request("POST", "/v1/models/m/layers/a/train", body).status)

        t = threading.Thread(target=small)
        t.start()
        at_once([lambda: self.keep_asking("/v1/models/m/layers/b/train", large, "application/x-npy")] * 12)
        stop.set()
        t.join()
        self.assertGreater(outcome.count(200), 0)
        self.assertLessEqual(set(outcome), {200, 503})
        self.assert_within()

    def test_what_shuffling_needs(self):
        """One number for each sample: with small samples that is more than the tensor, and it counts."""
        body = npy(15_000_000, 1)
        for layer, shuffle in (("plain", False), ("shuffling", True)):
            self.daemon.curl("PUT", f"/v1/models/m/layers/{layer}",
                             {"kind": "batch_norm", "num_features": 1, "shuffle": shuffle})
        self.assertEqual(self.ask("/v1/models/m/layers/plain/train", body, "application/x-npy")[0], 200)
        # The memory of the request before may be given back just now: 503 until it is.
        status, said, later = self.keep_asking("/v1/models/m/layers/shuffling/train", body, "application/x-npy")
        self.assertEqual((status, '"body_too_large"' in str(said), later), (413, True, None), "it would never fit")
        self.assertEqual(self.daemon.curl("GET",
                                          "/v1/models/m/layers/shuffling/statistics").json["num_batches_tracked"], 0)
        self.assertIsInstance(self.keep_asking("/v1/models/m/layers/shuffling/train", npy(1_500_000, 1),
                                               "application/x-npy"), int)
        self.assert_within()

    def test_lists_that_no_memory_holds(self):
        """A few bytes define a layer of 2^40 parameters: its lists are refused before the first number is written,
        and for good."""
        for name, features in (("wide", 1 << 27), ("widest", 1 << 40)):
            path = f"/v1/models/m/layers/{name}"
            self.assertEqual(self.daemon.curl("PUT", path, {"kind": "batch_norm", "num_features": features}).status,
                             201)
            for call in (("GET", "/statistics"), ("DELETE", "/statistics"), ("GET", "/parameters"),
                         ("PUT", "/parameters", {})):
                answer = self.daemon.curl(call[0], path + call[1], *call[2:])
                self.assertEqual((answer.status, answer.code), (413, "body_too_large"), (call, answer))
            self.assertEqual(self.daemon.curl("GET", path).headers["normd-revision"], "0")
        self.assertLess(max(line.get("duration_ms", 0) for line in self.daemon.log_lines()), 200 * PATIENCE)
        self.assert_within()

    def test_many_wide_layers(self):
        """Statistics are doubles that the store copies: they count too."""
        rows = {"data": [[float(i) for i in range(20000)], [float(-i) for i in range(20000)]]}

        def work(i):
            client = Client(self.daemon.port)
            statuses = set()
            for k in range(6):
                path = f"/v1/models/wide/layers/l{i}-{k}"
                client.request("PUT", path, {"kind": "batch_norm"})
                status = 503
                while status == 503:
                    status = client.request("POST", path + "/train?output=false", rows).status
                statuses.add(status)
            return statuses

        self.assertEqual(at_once([partial(work, i) for i in range(32)]), [{200}] * 32)
        self.assert_within()


class Mask(unittest.TestCase):
    def test_takes_a_byte_a_value(self):
        """A mask that would not fit at four bytes a value is read, and used where it was decoded."""
        daemon = Daemon("--max-body", "5MiB")
        self.addCleanup(daemon.close)
        layer = "/v1/models/m/layers/bn"
        daemon.curl("PUT", layer, {"kind": "batch_norm", "datatype": "FP16", "averaging": "pooled"})
        n = 1_200_000
        data, keep = ",".join(["1,9"] * (n // 2)), ",".join(["1,0"] * (n // 2))
        body = '{"datatype":"FP16","shape":[%d,1],"data":[%s],"mask":[%s]}' % (n, data, keep)
        told = daemon.curl("POST", layer + "/train?output=false", body)
        self.assertEqual((told.status, told.json.get("num_batches_tracked")), (200, 1), told)
        statistics = daemon.curl("GET", layer + "/statistics").json
        self.assertEqual((statistics["running_mean"]["data"], statistics["count"]), ([1], n // 2), statistics)


if __name__ == "__main__":
    unittest.main()
