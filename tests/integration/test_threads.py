# SPDX-License-Identifier: MIT
"""Large tensors, which several threads do in parts: the same bytes whatever their number,
and that idle threads do help."""

import json
import os
import time
import unittest
import urllib.parse

import numpy

import npy
from normd import PATIENCE, Client, Daemon

NPY = {"Content-Type": npy.TYPE}
# More values than go uncut (CUT_FROM, norm/cut.h).
SHAPE = (12, 32, 3200)
LAST = (38400, 32)

# Name, definition, shape. Kinds, few and many features, channels last, pieces, passes after one another.
LAYERS = (
    ("bn", {"kind": "batch_norm"}, SHAPE),
    ("few", {"kind": "batch_norm", "clip": 1.5}, (4, 3, 102400)),
    ("last", {"kind": "batch_norm", "channel_axis": -1}, LAST),
    ("ghosts", {"kind": "batch_norm", "virtual_batch_size": 11, "shuffle": True}, SHAPE),
    ("renorm", {"kind": "batch_norm", "renorm": {"r_max": 2, "d_max": 3}}, SHAPE),
    ("instance", {"kind": "instance_norm"}, SHAPE),
    ("tracked", {"kind": "instance_norm", "track_running_stats": True, "affine": True}, SHAPE),
    ("group", {"kind": "group_norm", "num_groups": 4, "num_channels": 32, "clip": 2}, SHAPE),
    ("layer", {"kind": "layer_norm", "normalized_shape": [3200]}, SHAPE),
    ("rms", {"kind": "rms_norm", "normalized_shape": [32, 3200]}, SHAPE),
)


def query(call, **parameters):
    return call + "?" + urllib.parse.urlencode(parameters) if parameters else call


class AnyNumberOfThreads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemons = [Daemon("--threads", threads) for threads in ("1", "4")]
        cls.addClassCleanup(lambda: [daemon.close() for daemon in cls.daemons])

    def setUp(self):
        self.clients = [Client(daemon.port) for daemon in self.daemons]
        for client in self.clients:
            self.addCleanup(client.close)

    def same(self, method, path, body=None, headers=None):
        """The answer, which must be the same from all daemons."""
        answers = [client.request(method, path, body, headers) for client in self.clients]
        for answer in answers:
            self.assertLess(answer.status, 300, answer)
        self.assertTrue(all(answer.raw == answers[0].raw for answer in answers), f"{path}: the bytes differ")
        return answers[0]

    def check_layer(self, name, definition, shape, datatype):
        path = f"/v1/models/{datatype}/layers/{name}"
        tracks = definition["kind"] == "batch_norm" or "track_running_stats" in definition
        x = numpy.random.default_rng(6).standard_normal(shape).astype(datatype) * 2 + 1
        self.same("PUT", path, definition)
        seed = {"seed": 5} if "shuffle" in definition else {}
        for call in (query("train", **seed), "infer", *(["infer?inverse=true"] if tracks else [])):
            answer = self.same("POST", f"{path}/{call}", npy.save(x), NPY)
            self.assertEqual(npy.load(answer.raw).shape, shape)
        both = npy.save(x) + npy.save(x[::-1].copy())
        for mode in ("train", "infer"):
            self.same("POST", f"{path}/" + query("backward", mode=mode, **seed), both, NPY)
        if tracks:
            self.same("POST", f"{path}/" + query("train", output="false", **seed), npy.save(x), NPY)
            self.same("GET", f"{path}/statistics")
        if "shuffle" not in definition and "renorm" not in definition:
            self.same("POST", query("/v1/normalize", definition=json.dumps(definition)), npy.save(x), NPY)

    def test_the_same_bytes_for_each_kind(self):
        for datatype in ("float32", "float16"):
            for name, definition, shape in LAYERS:
                with self.subTest(layer=name, datatype=datatype):
                    self.check_layer(name, definition, shape, datatype)

    def test_the_same_bytes_for_padded_batches(self):
        lengths = ",".join(str(3200 - 37 * i) for i in range(12))
        x = npy.save(numpy.random.default_rng(7).standard_normal(SHAPE, dtype=numpy.float32))
        for definition in ({"kind": "batch_norm"}, {"kind": "group_norm", "num_groups": 4, "num_channels": 32}):
            self.same("POST", query("/v1/normalize", definition=json.dumps(definition), lengths=lengths), x, NPY)
        x = npy.save(numpy.random.default_rng(8).standard_normal((30, 1200, 32), dtype=numpy.float32))
        lengths = ",".join(str(1200 - 37 * i) for i in range(30))
        definition = {"kind": "batch_norm", "channel_axis": -1}
        self.same("POST", query("/v1/normalize", definition=json.dumps(definition), lengths=lengths), x, NPY)

    def test_the_same_refusal(self):
        """A value that is not finite, in the last part."""
        x = numpy.zeros(SHAPE, dtype=numpy.float32)
        x[-1, -1, -1] = numpy.inf
        path = query("/v1/normalize", definition=json.dumps({"kind": "layer_norm", "normalized_shape": [3200]}))
        for client in self.clients:
            answer = client.request("POST", path, npy.save(x), NPY)
            self.assertEqual((answer.status, answer.code), (422, "non_finite_input"))


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "there is one processor")
class IdleThreadsHelp(unittest.TestCase):
    ATTEMPTS = 50

    def computing_ns(self):
        """The processor time of each computing thread."""
        tasks, times = f"/proc/{self.daemon.process.pid}/task", []
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm") as f:
                if f.read().strip() != "compute":
                    continue
            with open(f"{tasks}/{task}/schedstat") as f:
                times.append(int(f.read().split()[0]))
        return times

    def share_of_the_second(self, ask):
        """How much the second busiest thread did, of what the busiest did."""
        before = self.computing_ns()
        ask()
        least, most = sorted(now - was for now, was in zip(self.computing_ns(), before))[-2:]
        return least / most

    def test_a_large_tensor_is_shared(self):
        """In half precision, where computing takes many times what giving the memory back does,
        which is a job of its own."""
        self.daemon = Daemon("--threads", "2")
        self.addCleanup(self.daemon.close)
        client = Client(self.daemon.port)
        self.addCleanup(client.close)
        x = npy.save(numpy.random.default_rng(8).standard_normal((64, 64, 1568)).astype(numpy.float16))
        definition = json.dumps({"kind": "instance_norm", "clip": 2})
        shares, deadline = [], time.monotonic() + 30 * PATIENCE
        while (not shares or max(shares) < 0.5) and len(shares) < self.ATTEMPTS and time.monotonic() < deadline:
            shares.append(self.share_of_the_second(
                lambda: self.assertEqual(client.request("POST", query("/v1/normalize", definition=definition), x,
                                                        NPY).status, 200)))
        self.assertGreaterEqual(max(shares), 0.5, shares)


if __name__ == "__main__":
    unittest.main()
