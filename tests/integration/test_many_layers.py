# SPDX-License-Identifier: MIT
"""A store of a million layers: it starts at once, also after a kill, serves any of them,
and memory stays in its bounds."""

import os
import random
import time
import unittest

from many import fill
from normd import BUILD, PATIENCE, Client, Daemon

SLOW = any(name in BUILD for name in ("asan", "tsan", "coverage"))
LAYERS = 50_000 if SLOW else 1_000_000
A_MODEL = 1000  # layers of a model
FEATURES = 16
START_S = 2.0
MAX_MEMORY_MIB = 210


def mean(layer):
    """The first feature's running mean of a layer, by its number."""
    return layer * 0.5


class Million(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--max-memory", f"{MAX_MEMORY_MIB}MiB", "--threads", "2", "--log-level", "warn",
                            start=False)
        cls.daemon.start()
        cls.daemon.curl("PUT", "/v1/models/seed/layers/bn", {"kind": "batch_norm", "num_features": FEATURES})
        cls.daemon.stop()
        fill(cls.daemon, ((f"m{m}", [f"l{i:07d}" for i in range(A_MODEL * m, A_MODEL * (m + 1))])
                          for m in range(LAYERS // A_MODEL)), FEATURES, mean)
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def path(self, layer, call):
        return f"/v1/models/m{layer // A_MODEL}/layers/l{layer:07d}/{call}"

    def ask(self, client, layer, call="infer", value=0.25):
        answer = client.request("POST", self.path(layer, call),
                                {"datatype": "FP64", "data": [[mean(layer) + value] * FEATURES] * 2})
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def started_in(self):
        began = time.monotonic()
        self.daemon.start()
        return time.monotonic() - began

    def test_it_starts_at_once(self):
        self.daemon.stop()
        self.assertLess(self.started_in(), START_S * PATIENCE)

    def test_it_starts_at_once_after_a_kill(self):
        client = Client(self.daemon.port)
        for _ in range(100):
            answer = client.request("POST", "/v1/models/seed/layers/bn/train",
                                    {"data": [[1] * FEATURES, [2] * FEATURES]})
            self.assertEqual(answer.status, 200, answer)
        self.daemon.kill()
        self.assertGreater(os.path.getsize(self.daemon.store[len("sqlite:"):] + "-wal"), 0)
        self.assertLess(self.started_in(), START_S * PATIENCE)

    def test_any_layer_is_served_within_the_memory(self):
        client = Client(self.daemon.port)
        rng = random.Random(20261125)
        picked = [0, LAYERS - 1] + [rng.randrange(LAYERS) for _ in range(2000 if SLOW else 20000)]
        for layer in picked:
            data = self.ask(client, layer)["data"]
            self.assertAlmostEqual(data[0][0], 0.25 / (1 + 1e-5) ** 0.5, 9)
        if not SLOW:
            self.assertLess(self.daemon.memory("VmHWM"), MAX_MEMORY_MIB << 20)

    def test_pages_of_models_and_layers(self):
        page = self.daemon.curl("GET", f"/v1/models?limit=1000&after=m{LAYERS // A_MODEL - 2}").json
        self.assertLessEqual(len(page["models"]), 1000)
        page = self.daemon.curl("GET", "/v1/models/m7?limit=1000").json
        self.assertEqual([layer["name"] for layer in page["layers"]],
                         [f"l{7 * A_MODEL + i:07d}" for i in range(A_MODEL)])


if __name__ == "__main__":
    unittest.main()
