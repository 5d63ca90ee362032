# SPDX-License-Identifier: MIT
"""Synchronized steps whose ranks reach different daemons: the tests of one daemon, spread over three with one
database, and what is different there."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time

import test_sync
from normd import PATIENCE, ROOT, Daemon
from test_sync import RANDOM, sync, tensor

sys.path.insert(0, os.path.join(ROOT, "tests"))
import postgresql  # noqa: E402

COUNT = 3


def setUpModule():
    global cluster
    postgresql.require()
    cluster = postgresql.Cluster(durable=False)


def tearDownModule():
    cluster.close()


class Spread:
    """Each request that is sent apart goes to the next daemon; all others to the first."""

    @classmethod
    def setUpClass(cls):
        cls.daemons = []
        for _ in range(COUNT):
            daemon = Daemon("--max-staleness", "0", *cls.daemon_args, store="postgresql:///", env=cluster.env)
            cls.addClassCleanup(daemon.close)
            cls.daemons.append(daemon)
        cls.daemon = cls.daemons[0]
        cls.turn = itertools.cycle(cls.daemons)

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.revisions = {}
        super().setUp()

    def send(self, layer, call, body, headers=None, query="", daemon=None):
        client = (daemon or next(self.turn)).client()
        try:
            answer = client.request("POST", self.path(layer, call) + query, body, headers)
        finally:
            client.close()
        if answer.status == 200 and call == "train":
            told = answer.json.get("revision", 0) if "json" in answer.headers["content-type"] else 0
            self.revisions[layer] = max(told, self.revisions.get(layer, 0))
        return answer

    def ask(self, method, path, body=None, headers=None, *more, **rest):
        """Sees what the other daemons have stored."""
        layer = path.split("/")[5] if path.count("/") > 4 else ""
        if path.count("/") == 5 and method != "GET":
            self.revisions.pop(layer, None)  # it is made anew
        fresh = {"Normd-Min-Revision": str(self.revisions[layer])} if self.revisions.get(layer) else {}
        return super().ask(method, path, body, {**fresh, **(headers or {})}, *more, **rest)


class OneBatch(Spread, test_sync.OneBatch):
    pass


class Meeting(Spread, test_sync.Meeting):
    pass


class Several(Spread, test_sync.SyncTest):
    def setUp(self):
        super().setUp()
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        self.x = RANDOM.standard_normal((3, 4, 2))

    def shard(self, rank, step="1", **more):
        return {**tensor(self.x[rank]), **sync(rank, 3, step, **more)}

    def begin(self, rank, daemon, **more):
        return self.in_background(lambda: self.send("bn", "train", self.shard(rank, **more), daemon=daemon))

    @contextlib.contextmanager
    def locked(self):
        """Nobody can change the layer."""
        psql = subprocess.Popen(["psql", "-qAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env={**os.environ, **cluster.env})
        psql.stdin.write(f"BEGIN; SELECT name FROM normd_layer WHERE model = '{self.model}' FOR UPDATE;\n")
        psql.stdin.flush()
        psql.stdout.readline()
        try:
            yield
        finally:
            psql.communicate("ROLLBACK;\n")

    def test_the_daemon_that_leads_is_killed(self):
        """Another one finishes the step, and the update is made once. The killed daemon's rank sends again."""
        with self.locked():
            waits = [self.begin(0, self.daemons[0]), self.begin(1, self.daemons[1])]
            time.sleep(0.5 * PATIENCE)
            client = self.daemons[2].client()
            client.connection.request("POST", self.path("bn", "train"), json.dumps(self.shard(2)))
            time.sleep(0.5 * PATIENCE)
            self.daemons[2].kill()
            client.close()
        told = [wait() for wait in waits]
        self.daemons[2].start()
        told.append(self.send("bn", "train", self.shard(2), daemon=self.daemons[2]))
        self.assertEqual([(a.status, a.json["num_batches_tracked"], a.json["revision"]) for a in told],
                         [(200, 1, 1)] * 3)
        self.put("one", {"kind": "batch_norm", "num_features": 2})
        one = self.trained("one", self.x.reshape(-1, 2))
        self.assertNear(self.outputs(told), one)
        self.assert_same_statistics("bn", "one")

    def test_a_step_that_had_begun_before_the_layer_was_frozen(self):
        """It has one answer for all its ranks. A step that had not is inference."""
        self.trained("bn", self.x[0])
        waits = [self.begin(0, self.daemons[0]), self.begin(1, self.daemons[1])]
        time.sleep(0.5 * PATIENCE)
        self.freeze()
        told = [self.send("bn", "train", self.shard(2), daemon=self.daemons[2]), *(wait() for wait in waits)]
        self.assertEqual({(a.status, a.json.get("code")) for a in told}, {(409, "frozen")})
        alone = self.send("bn", "train", self.shard(1, "2"), daemon=self.daemons[1])
        self.assertEqual((alone.status, alone.json.get("num_batches_tracked")), (200, 1), alone)

    def test_all_ranks_normalize_by_one_state(self):
        for layer in ("bn", "one"):
            self.put_running(layer)
        for step in range(3):
            told = [wait() for wait in [self.begin(rank, self.daemons[rank], step=f"{step}") for rank in range(3)]]
            self.assertEqual({a.status for a in told}, {200}, told)
            self.assertNear(self.outputs(told), self.trained("one", self.x.reshape(-1, 2)))

    def put_running(self, layer):
        self.call("DELETE", self.path(layer), status=204 if layer == "bn" else 404)
        self.put(layer, {"kind": "batch_norm", "num_features": 2, "normalize_by": "running"})
