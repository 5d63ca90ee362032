# SPDX-License-Identifier: MIT
"""Many daemons on one PostgreSQL database: what one has acknowledged the others show, nothing is counted twice or lost,
and inference outlives the database. What is no store is refused at the start."""

import collections
import random
import signal
import threading
import time
import unittest
import uuid

import postgresql
from normd import Client, Daemon, at_once, wait_for, PATIENCE
from test_command import run

LAYER = "/v1/models/m/layers/bn"
BATCH = {"data": [[1, 20], [3, 40], [5, 60]]}
ONE = {"data": [[3, 40]]}
# The contract's, and what a loaded machine adds.
STALENESS_S = 1 + 2 * PATIENCE


class ClusterTest(unittest.TestCase):
    """With a cluster for the class, and for each test a database and daemons on it."""

    count = 3

    @classmethod
    def setUpClass(cls):
        postgresql.require()
        cls.cluster = postgresql.Cluster()
        cls.addClassCleanup(cls.cluster.close)

    def setUp(self):
        self.database = self._testMethodName[:60]
        self.store = self.cluster.create(self.database)
        self.daemons = [self.daemon() for _ in range(self.count)]

    def daemon(self, *args):
        daemon = Daemon(*args, store=self.store)
        self.addCleanup(daemon.close)
        return daemon

    def ask(self, daemon, method, path, body=None, headers=None, status=200):
        answer = daemon.curl(method, path, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer

    def put_layer(self, path=LAYER, definition=None):
        self.ask(self.daemons[0], "PUT", path, definition or {"kind": "batch_norm"}, status=201)

    def train(self, daemon, headers=None, path=LAYER):
        return self.ask(daemon, "POST", path + "/train", BATCH, headers).json

    def batches(self, daemon, revision=None):
        """num_batches_tracked, of that revision or a later one."""
        headers = {"Normd-Min-Revision": str(revision)} if revision else None
        return self.ask(daemon, "GET", LAYER + "/statistics", headers=headers).json["num_batches_tracked"]


class Load:
    """Clients that train one layer through all daemons, and send each batch again, with its key, to whichever daemon,
    until it is acknowledged."""

    def __init__(self, test, clients, batches):
        self.test = test
        self.batches = batches
        self.acknowledged = []  # (revision, num_batches_tracked)
        self.failures = 0
        self.refusals = []
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(clients)]

    def work(self, seed):
        draw = random.Random(seed)
        for _ in range(self.batches):
            key = str(uuid.uuid4())
            while not self.sends(draw.choice(self.test.daemons), key, draw.random() < 0.2):
                self.failures += 1
                time.sleep(0.02)

    def sends(self, daemon, key, again):
        if daemon.process is None:
            return False
        try:
            client = Client(daemon.port)
            answers = [client.request("POST", LAYER + "/train", BATCH, {"Idempotency-Key": key})
                       for _ in range(1 + again)]
            client.close()
        except OSError:
            return False
        if {answer.status for answer in answers} != {200}:
            self.refusals += [answer.body for answer in answers if answer.status != 200]
            return False
        states = {(answer.json["revision"], answer.json["num_batches_tracked"]) for answer in answers}
        self.test.assertEqual(len(states), 1, "a repeat is answered as the first was")
        self.acknowledged.append(states.pop())
        return True

    def run(self, meanwhile=None):
        for thread in self.threads:
            thread.start()
        if meanwhile:
            meanwhile()
        for thread in self.threads:
            thread.join()

    def check(self):
        """Revisions have no gaps, and no batch was counted twice."""
        total = len(self.threads) * self.batches
        wrong = collections.Counter(self.acknowledged) - collections.Counter((i, i) for i in range(1, total + 1))
        self.test.assertEqual((wrong, len(self.acknowledged)), (collections.Counter(), total))
        for daemon in self.test.daemons:
            if daemon.process is not None:
                self.test.assertEqual(self.test.batches(daemon, total), total)


class Together(ClusterTest):
    def test_what_one_acknowledges_the_others_show(self):
        a, b, c = self.daemons
        self.put_layer()
        for daemon in self.daemons:
            revision = self.train(daemon)["revision"]
        self.assertEqual(revision, 3)
        self.assertEqual(self.batches(a, revision), 3, "at once, where it is asked for")
        wait_for(lambda: self.batches(b) == 3, "the others' batches", STALENESS_S)
        refused = self.ask(c, "POST", LAYER + "/infer", ONE, {"Normd-Min-Revision": "4"}, 412)
        self.assertEqual(refused.code, "revision_mismatch")
        answer = self.ask(a, "POST", LAYER + "/infer", ONE, {"Normd-Min-Revision": "3"})
        self.assertEqual(answer.headers["normd-revision"], "3")
        self.assertNotIn("age", answer.headers)

    def test_a_cached_state_is_shown_no_longer_than_max_staleness(self):
        a = self.daemons[0]
        late = self.daemon("--max-staleness", "1h")
        at_all_times = self.daemon("--max-staleness", "0")
        self.put_layer()
        self.train(a)
        for daemon in (late, at_all_times):
            self.assertEqual(self.batches(daemon), 1)
        self.train(a)
        self.assertEqual(self.batches(at_all_times), 2)
        self.assertEqual(self.batches(late), 1)
        self.assertEqual(self.batches(late, 2), 2)

    def test_a_key_counts_at_all_of_them(self):
        a, b, c = self.daemons
        self.put_layer()
        first = self.train(a, {"Idempotency-Key": "k"})
        self.train(b)
        for daemon in (b, c, a):
            again = self.train(daemon, {"Idempotency-Key": "k"})
            self.assertEqual((again["revision"], again["num_batches_tracked"]),
                             (first["revision"], first["num_batches_tracked"]))
        other = self.ask(c, "POST", LAYER + "/train", {"data": [[1, 2], [3, 4]]}, {"Idempotency-Key": "k"}, 422)
        self.assertEqual(other.code, "idempotency_mismatch")
        self.assertEqual(self.batches(c, 2), 2)

    def test_keys_that_come_to_all_at_once_count_once(self):
        self.put_layer()
        for i in range(10):
            at_once([lambda daemon=daemon: self.train(daemon, {"Idempotency-Key": str(i)})
                     for daemon in self.daemons])
        self.assertEqual(self.batches(self.daemons[0], 10), 10)

    def test_versions_and_what_serves(self):
        a, b, c = self.daemons
        self.put_layer()
        self.train(a)
        made = at_once([lambda daemon=daemon: self.ask(daemon, "POST", "/v1/models/m/versions", {}, status=201)
                        for daemon in self.daemons])
        self.assertEqual(sorted(answer.json["version"] for answer in made), [1, 2, 3])
        self.assertEqual(len({answer.json["digest"] for answer in made}), 1)
        old = self.ask(c, "POST", LAYER + "/infer", ONE).json["data"]
        self.ask(b, "PUT", "/v1/models/m/aliases/champion", {"version": 2}, status=201)
        self.ask(b, "PUT", "/v1/models/m/serving", {"version": "champion", "note": "by b"})
        self.train(a)
        for daemon in self.daemons:
            answer = wait_for(lambda: (each := self.ask(daemon, "POST", LAYER + "/infer", ONE)) and
                              each.headers["normd-version"] == "2" and each, "version 2 serves", STALENESS_S)
            self.assertEqual(answer.json["data"], old)
        used = self.ask(c, "DELETE", "/v1/models/m/versions/2", status=409)
        self.assertEqual(used.code, "version_in_use")
        self.ask(a, "PUT", "/v1/models/m/serving", {"version": "live"})
        wait_for(lambda: self.ask(c, "POST", LAYER + "/infer", ONE).headers["normd-version"] == "live", "live serves",
                 STALENESS_S)
        history = self.ask(c, "GET", "/v1/models/m/serving/history").json["history"]
        self.assertEqual([entry["to"] for entry in history], ["live", 2])

    def test_a_layer_is_made_and_deleted_once(self):
        for _ in range(5):
            made = at_once([lambda daemon=daemon: daemon.curl("PUT", LAYER, {"kind": "batch_norm"})
                            for daemon in self.daemons])
            self.assertEqual(sorted(answer.status for answer in made), [200, 200, 201], made)
            for daemon in self.daemons:
                self.train(daemon)
            gone = at_once([lambda daemon=daemon: daemon.curl("DELETE", LAYER) for daemon in self.daemons])
            self.assertEqual(sorted(answer.status for answer in gone), [204, 404, 404], gone)
        for daemon in self.daemons:
            wait_for(lambda: daemon.curl("GET", LAYER).status == 404, "the layer is gone", STALENESS_S)

    def test_sources_meet(self):
        a, b, c = self.daemons
        self.put_layer(definition={"kind": "batch_norm", "averaging": "pooled", "unbiased_running_var": False})
        path = LAYER + "/statistics/sources/"
        for daemon, name, mean in ((a, "x", 1.0), (b, "y", 3.0)):
            self.ask(daemon, "PUT", path + name, {"count": 2, "mean": [mean], "var": [0.0]})
        pool = self.ask(c, "GET", LAYER + "/statistics", headers={"Normd-Min-Revision": "2"}).json
        self.assertEqual((pool["running_mean"]["data"], pool["running_var"]["data"]), ([2.0], [1.0]))
        self.ask(c, "DELETE", path + "x", status=204)
        back = self.ask(b, "PUT", path + "y", {"count": 1, "mean": [3.0], "var": [0.0]}, status=409)
        self.assertEqual(back.code, "source_went_back")

    def test_windows_are_merged(self):
        a, b, c = self.daemons
        self.put_layer()
        self.train(a)
        for daemon in self.daemons:
            self.ask(daemon, "POST", LAYER + "/infer", BATCH, {"Normd-Min-Revision": "1"})
        a.stop()
        b.stop()
        self.assertEqual(self.ask(c, "GET", LAYER + "/drift").json["count"], 9)
        self.ask(c, "DELETE", LAYER + "/drift", status=204)
        self.assertEqual(self.ask(c, "GET", LAYER + "/drift").json["count"], 0)

    def test_one_hot_layer(self):
        self.put_layer()
        load = Load(self, clients=24, batches=25)
        load.run()
        self.assertEqual(load.failures, 0)
        load.check()

    def test_models_are_trained_as_wholes(self):
        """Layers in any order, by daemons that would wait for each other."""
        names = [f"l{i}" for i in range(8)]
        for name in names:
            self.put_layer(f"/v1/models/m/layers/{name}")
        inputs = [{"name": name, "shape": [3, 2], "datatype": "FP32", "data": [1, 20, 3, 40, 5, 60]} for name in names]

        def train(daemon, seed):
            random.Random(seed).shuffle(order := list(inputs))
            return self.ask(daemon, "POST", "/v2/models/m/infer", {"inputs": order, "parameters": {"mode": "train"}})

        for i in range(5):
            at_once([lambda daemon=daemon, j=j: train(daemon, f"{i} {j}") for daemon in self.daemons for j in range(3)])
        for name in names:
            layer = self.ask(self.daemons[0], "GET", f"/v1/models/m/layers/{name}/statistics",
                             headers={"Normd-Min-Revision": "45"})
            self.assertEqual(layer.json["num_batches_tracked"], 45)

    def test_backups_are_the_databases(self):
        refused = self.ask(self.daemons[0], "GET", "/v1/backup", status=501)
        self.assertIn("pg_dump", refused.json["detail"])


# Fails some of the updates of layers, half of them in their COMMIT, by errors after which all may be done again.
FAILING = """
CREATE SEQUENCE draws;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE nextval('draws') % 11
        WHEN 0 THEN RAISE SQLSTATE '40001';
        WHEN 2 THEN RAISE SQLSTATE '40003';
        WHEN 4 THEN RAISE SQLSTATE '40P01';
        WHEN 6 THEN PERFORM pg_terminate_backend(pg_backend_pid());
        ELSE
    END CASE;
    RETURN NULL;
END $$;
CREATE TRIGGER early AFTER UPDATE ON normd_layer FOR EACH ROW EXECUTE FUNCTION fail();
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON normd_layer DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fail();
"""


class Failures(ClusterTest):
    def test_transactions_that_fail_are_done_again(self):
        self.put_layer()
        self.cluster.sql(FAILING, self.database)
        load = Load(self, clients=6, batches=20)
        load.run()
        self.assertEqual(load.refusals, [])
        load.check()
        self.assertGreater(int(self.cluster.sql("SELECT last_value FROM draws", self.database)), 40)

    def test_a_daemon_that_is_killed(self):
        self.put_layer()
        load = Load(self, clients=12, batches=40)

        def kill():
            for _ in range(3):
                time.sleep(0.3)
                self.daemons[0].kill()
                time.sleep(0.2)
                self.daemons[0].start()

        load.run(kill)
        self.assertGreater(load.failures, 0)
        load.check()

    def test_a_database_that_crashes_under_load(self):
        self.put_layer()
        load = Load(self, clients=12, batches=40)

        def crash():
            for _ in range(2):
                time.sleep(0.5)
                self.cluster.control("stop", "-m", "immediate")
                time.sleep(0.3)
                self.cluster.control("start")

        load.run(crash)
        load.check()

    def away_s(self, daemon):
        return float(next(line.split()[1] for line in daemon.curl("GET", "/metrics").body.splitlines()
                          if line.startswith("normd_store_away_seconds ")))

    def test_inference_outlives_the_database(self):
        self.put_layer()
        self.train(self.daemons[0])
        before = [self.ask(daemon, "POST", LAYER + "/infer", ONE) for daemon in self.daemons]
        self.assertEqual([self.away_s(daemon) for daemon in self.daemons], [0, 0, 0])
        self.cluster.control("stop", "-m", "immediate")
        time.sleep(2)  # longer than --max-staleness
        for daemon, fresh in zip(self.daemons, before):
            began = time.monotonic()
            stale = self.ask(daemon, "POST", LAYER + "/infer", ONE)
            self.assertLess(time.monotonic() - began, 1 * PATIENCE)
            self.assertEqual(stale.json, fresh.json)
            self.assertGreaterEqual(int(stale.headers["age"]), 2)
            self.assertGreater(self.away_s(daemon), 0)
        for method, path, body in (("POST", LAYER + "/train", BATCH), ("GET", "/v1/models/m/layers/unknown", None)):
            refused = self.ask(self.daemons[0], method, path, body, status=503)
            self.assertEqual(refused.code, "storage_unavailable", refused)
            self.assertGreater(int(refused.headers["retry-after"]), 0)
        self.cluster.control("start")
        began = time.monotonic()
        for daemon in self.daemons:
            wait_for(lambda: "age" not in self.ask(daemon, "POST", LAYER + "/infer", ONE).headers, "fresh inference",
                     5 * PATIENCE)
            wait_for(lambda: self.away_s(daemon) == 0, "the metric", 5 * PATIENCE)
            wait_for(lambda: daemon.curl("GET", "/v2/health/ready").status == 200, "a daemon that is ready",
                     5 * PATIENCE)
            self.train(daemon)
        self.assertLess(time.monotonic() - began, 5 * PATIENCE)
        self.assertEqual(self.batches(self.daemons[0], 4), 4)

    def test_a_server_that_falls_silent(self):
        """Neither does it answer, nor do its connections break, as behind a firewall that drops packets."""
        self.put_layer()
        self.train(self.daemons[0])
        for daemon in self.daemons:
            self.ask(daemon, "POST", LAYER + "/infer", ONE)
        self.cluster.signal(signal.SIGSTOP)
        try:
            time.sleep(1.5)
            began = time.monotonic()
            answers = at_once([lambda daemon=daemon: self.ask(daemon, "POST", LAYER + "/infer", ONE)
                               for daemon in self.daemons])
            self.assertLess(time.monotonic() - began, 5 * PATIENCE)
            self.assertEqual(["age" in answer.headers for answer in answers], [True] * 3)
            began = time.monotonic()
            for daemon in self.daemons:
                self.ask(daemon, "POST", LAYER + "/infer", ONE)
            self.assertLess(time.monotonic() - began, 1 * PATIENCE)
        finally:
            self.cluster.signal(signal.SIGCONT)
        for daemon in self.daemons:
            wait_for(lambda: daemon.curl("POST", LAYER + "/train", BATCH).status == 200, "a daemon that goes on",
                     5 * PATIENCE)
        self.assertEqual(self.batches(self.daemons[0], 4), 4)

    def test_a_server_that_hangs_up_on_all(self):
        """As an operator may do, or a server that fails over: nobody notices."""
        self.put_layer()
        load = Load(self, clients=6, batches=40)

        def hang_up():
            for _ in range(5):
                time.sleep(0.1)
                self.cluster.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                 " WHERE application_name = 'normd'")

        load.run(hang_up)
        self.assertEqual(load.refusals, [])
        load.check()


class Refused(ClusterTest):
    """What is no store, or no good one: said at the start, without the password."""

    count = 0

    def refused(self, words, url=None, code=1):
        url = url or self.store
        done = run("--store", url)
        self.assertEqual(done.returncode, code, done)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for secret in (self.cluster.env["PGPASSWORD"], "secret"):
            self.assertNotIn(secret, done.stderr)

    def test_places_that_are_not_there(self):
        port = self.cluster.env["PGPORT"]
        self.refused("password authentication failed", self.cluster.url(password="secret"))
        self.refused('database "nowhere" does not exist', self.cluster.url("nowhere"))
        self.refused("cannot be reached", f"postgresql://u:secret@localhost:1/postgres")
        self.refused("nowhere.invalid", f"postgresql://u:secret@nowhere.invalid:{port}/postgres")
        for url in ("postgresql://u:se@cret@h/d", "postgresql://u:secret@h:x/d", "postgresql://u:secret@h/d?sslmod=x"):
            self.refused("is not a valid URL of PostgreSQL", url, code=2)

    def test_schemas_that_are_not_ours(self):
        self.daemon().stop()
        self.cluster.sql("UPDATE normd_schema SET version = version + 1", self.database)
        self.refused("was made by a newer normd")
        self.cluster.sql("UPDATE normd_schema SET version = version - 1; DROP TABLE normd_window", self.database)
        self.refused("restore a backup")
        self.cluster.sql("DROP TABLE normd_schema; CREATE TABLE normd_schema(version text)", self.database)
        self.refused("they are not normd's")

    def test_a_table_of_somebody_else(self):
        self.cluster.sql("CREATE TABLE normd_layer(colour text)", self.database)
        self.refused("they are not normd's")
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'normd%'",
                                          self.database), "1")

    def test_settings_that_lose_data(self):
        for setting, words in (("synchronous_commit = off", "synchronous_commit=off"),
                               ("default_transaction_read_only = on", "is read-only")):
            self.cluster.sql(f"ALTER DATABASE {self.database} SET {setting}")
            self.refused(words)
            self.cluster.sql(f"ALTER DATABASE {self.database} RESET ALL")
        self.cluster.sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        self.refused("is not in UTF8", self.cluster.url("latin"))

    def test_a_role_without_rights(self):
        self.cluster.sql("CREATE ROLE reader LOGIN PASSWORD 'secret'")
        self.refused("permission denied", self.cluster.url(self.database, "reader", "secret"))

    def test_the_password_is_not_shown(self):
        daemon = self.daemon()
        checked = run("--store", self.store, "--check-config")
        self.assertIn(f"store = postgresql://{self.cluster.env['PGUSER']}:***@localhost", checked.stdout)
        daemon.stop()
        for text in (checked.stdout, checked.stderr, daemon.log()):
            self.assertNotIn(self.cluster.env["PGPASSWORD"], text)

    def test_daemons_that_start_at_once_make_one_schema(self):
        daemons = at_once([self.daemon for _ in range(4)])
        for daemon in daemons:
            self.assertEqual(self.ask(daemon, "GET", "/v1/models").json["models"], [])
