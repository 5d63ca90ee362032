# SPDX-License-Identifier: MIT
"""normd migrate: a store goes from SQLite to PostgreSQL and back, whole, whatever happens on the way."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import numpy

import postgresql
from normd import NORMD, PATIENCE, Daemon
from test_command import run

RANDOM = numpy.random.default_rng(19)
NAMES = ("m", "A.b_c-9", "z" * 128)


def path(*parts):
    return "/v1/" + "/".join(urllib.parse.quote(part, safe="") for part in parts)


def fill(daemon):
    """A store with something of all that there is."""
    client = daemon.client()

    def ask(method, url, body=None, headers=None, status=(200, 201, 204)):
        answer = client.request(method, url, body, headers)
        assert answer.status in status, (method, url, answer)
        return answer

    for name in NAMES:
        base = ("models", name)
        for layer, definition in (("bn", {"kind": "batch_norm", "num_features": 3}),
                                  ("pooled", {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"}),
                                  ("decayed", {"kind": "batch_norm", "averaging": "decayed", "half_life": 7}),
                                  ("ln", {"kind": "layer_norm", "normalized_shape": [3]}),
                                  ("wide", {"kind": "batch_norm", "num_features": 5000})):
            ask("PUT", path(*base, "layers", layer), definition)
        for step in range(3):
            x = {"datatype": "FP64", "data": (RANDOM.standard_normal((4, 3)) * 10.0 ** RANDOM.integers(-3, 9)).tolist()}
            for layer in ("bn", "pooled", "decayed"):
                ask("POST", path(*base, "layers", layer, "train"), x, {"Idempotency-Key": f"key {step}"})
            ask("POST", path(*base, "layers", "pooled", "train") + f"?source=worker{step}", x)
            ask("POST", path(*base, "layers", "bn", "infer"), x)
            if step == 1:
                ask("PUT", path(*base, "layers", "bn", "parameters"),
                    {"weight": [1.5, -0.0, 2], "bias": [0, 1e-300, 7]})
                ask("POST", path(*base, "versions"), {"note": "한국어 <b>"}, {"Idempotency-Key": "version"})
        ask("POST", path(*base, "versions"), {})
        ask("PUT", path(*base, "aliases", "best"), {"version": 2})
        ask("PUT", path(*base, "serving"), {"version": 2, "note": "first"})
        ask("PUT", path(*base, "serving"), {"version": 1, "note": "second"})
        ask("POST", path(*base, "layers", "bn", "infer"), x)
        ask("PUT", path(*base, "layers", "decayed", "frozen"), {"frozen": True})
        ask("DELETE", path(*base, "layers", "ln"))
    ask("PUT", path("models", "gone", "layers", "bn"), {"kind": "batch_norm"})
    ask("POST", path("models", "gone", "versions"), {})
    ask("DELETE", path("models", "gone"))
    client.close()


def look(daemon):
    """All that there is to see, by URL."""
    client, seen = daemon.client(), {}

    def see(url):
        answer = client.request("GET", url)
        seen[url] = answer.status, answer.headers.get("etag"), answer.raw if answer.status == 200 else answer.code
        return answer

    names = see("/v1/models").json["models"]
    for name in names:
        base = ("models", name)
        for part in ("versions", "serving", "aliases"):
            see(path(*base, part))
        see(path(*base, "serving") + "?history=100")
        for layer in see(path(*base)).json["layers"]:
            for part in ((), ("statistics",), ("parameters",), ("sources",), ("history",), ("drift",)):
                see(path(*base, "layers", layer["name"], *part))
            for version in ("1", "2", "best"):
                see(path(*base, "layers", layer["name"], "statistics") + f"?version={version}")
    client.close()
    return seen


class Copies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        postgresql.require()
        cls.cluster = postgresql.Cluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.full = Daemon()
        cls.addClassCleanup(cls.full.close)
        fill(cls.full)
        cls.seen = look(cls.full)
        cls.full.stop()

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-copies-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.database = self.cluster.create(self._testMethodName[:60])

    def file(self, name="copy.db"):
        return "sqlite:" + os.path.join(self.directory, name)

    def migrate(self, source, target, code=0):
        done = run("migrate", "--from", source, "--to", target)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def refused(self, words, source, target):
        done = self.migrate(source, target, 1)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stdout, "")

    def seen_of(self, store):
        daemon = Daemon(store=store)
        try:
            return look(daemon)
        finally:
            daemon.stop()

    def test_there_and_back(self):
        done = self.migrate(self.full.store, self.database)
        self.assertIn("12 layers, 6 versions", done.stdout)
        self.migrate(self.database, self.file())
        check = run("check", "--store", self.file())
        self.assertEqual(check.returncode, 0, check.stdout)
        for store in (self.file(), self.database):
            self.assertEqual(self.seen_of(store), self.seen)

    def test_what_was_done_under_a_key_stays_done(self):
        """Also what comes after the copy: new ids and numbers are none that were used."""
        self.migrate(self.full.store, self.database)
        self.migrate(self.database, self.file())
        for store in (self.file(), self.database):
            daemon = Daemon(store=store)
            self.addCleanup(daemon.close)
            url = path("models", "m", "layers", "bn", "train")
            again = daemon.curl("POST", url, {"data": [[1, 2, 3]] * 4}, {"Idempotency-Key": "key 0"})
            self.assertEqual((again.status, again.code), (422, "idempotency_mismatch"))
            told = daemon.curl("POST", path("models", "m", "versions"), {})
            self.assertEqual(told.json["version"], 3)
            new = daemon.curl("PUT", path("models", "new", "layers", "bn"), {"kind": "batch_norm"})
            self.assertEqual(new.status, 201)
            self.assertEqual(daemon.curl("PUT", path("models", "m", "serving"), {"version": 3}).status, 200)
            self.assertEqual(daemon.curl("POST", url, {"data": [[1, 2, 3]] * 4}).json["num_batches_tracked"], 4)

    def test_killed_on_the_way(self):
        """However often; the copy is no store until it is whole."""
        draw = random.Random(19)
        for source, target in ((self.full.store, self.database), (self.database, self.file())):
            kills = 0
            while True:
                process = subprocess.Popen([NORMD, "migrate", "--from", source, "--to", target],
                                           stderr=subprocess.PIPE, stdout=subprocess.PIPE)
                try:
                    process.wait(draw.uniform(0.01, 0.12) if kills < 15 else 60 * PATIENCE)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                told = process.communicate()[1].decode()
                if kills > 0 and "is not empty" in told:
                    break  # the last kill came between the end of the copy and that of the process
                self.assertIn(process.returncode, (0, -signal.SIGKILL), told)
                if process.returncode == 0:
                    break
            self.assertEqual(self.seen_of(target), self.seen)

    def test_a_copy_that_differs_is_no_store(self):
        """Here the database changes what is written, in a layer or in a version."""
        for table, change, words in (("normd_layer", "NEW.running_mean := NEW.running_var", 'layer "bn" of model'),
                                     ("normd_kept", "NEW.running_mean := NEW.running_var", "version 1"),
                                     ("normd_version", "NEW.mark := NEW.mark + 1", "version 1")):
            database = f"differs_{table}"
            target = self.cluster.create(database)
            Daemon(store=target).close()  # it makes the tables
            self.cluster.sql(f"CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS"
                             f" 'BEGIN {change}; RETURN NEW; END';"
                             f"CREATE TRIGGER change BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION change()",
                             database)
            told = self.migrate(self.full.store, target, 1)
            self.assertIn("is not the same in the copy", told.stderr)
            self.assertIn(words, told.stderr)
            self.assertIn("unfinished copy", run("--store", target, "--listen", "127.0.0.1:0").stderr)

    def test_what_is_refused(self):
        self.refused("--to: ", self.full.store, self.full.store)
        self.refused("cannot be opened", self.file("none.db"), self.database)
        self.refused("contains no store", self.database, self.file())
        self.assertIn("sqlite:PATH", self.migrate("mysql://x", self.file(), 2).stderr)
        self.migrate(self.full.store, self.database)
        self.refused("is not empty", self.full.store, self.database)
        running = Daemon(store=self.database)
        self.refused("stop normd first", self.database, self.file())
        running.stop()
        self.migrate(self.database, self.file())
        self.refused("is not empty", self.database, self.file())
        running = Daemon(store=self.file())
        self.refused("another process", self.file(), self.file("second.db"))
        running.stop()

    def begin(self, new_target, other):
        """A copy that was killed before it was whole. Another store cannot be copied there."""
        draw = random.Random(20)
        for attempt in range(100):
            target = new_target(f"begun{attempt}")
            process = subprocess.Popen([NORMD, "migrate", "--from", self.full.store, "--to", target],
                                       stdout=subprocess.DEVNULL)
            time.sleep(draw.uniform(0, 0.1 + 0.01 * attempt))
            process.kill()
            process.wait()
            told = run("migrate", "--from", other, "--to", target)
            if "unfinished copy of another store" in told.stderr:
                return target
        raise AssertionError(f"it is never begun: {told}")

    def test_an_unfinished_copy(self):
        """No daemon takes it, and it is finished from the store alone that it was begun from."""
        other = Daemon()
        self.addCleanup(other.close)
        other.curl("PUT", path("models", "other", "layers", "bn"), {"kind": "batch_norm"})
        other.stop()
        changed = self.file("changed.db")
        shutil.copy(self.full.store.removeprefix("sqlite:"), changed.removeprefix("sqlite:"))
        daemon = Daemon(store=changed)
        self.addCleanup(daemon.close)
        told = daemon.curl("PUT", path("models", "m", "aliases", "new"), {"version": 1})  # no layer's revision changes
        self.assertEqual(told.status, 201)
        daemon.stop()
        for new_target in (self.cluster.create, self.file):
            target = self.begin(new_target, other.store)
            daemon = run("--store", target, "--listen", "127.0.0.1:0")
            self.assertEqual(daemon.returncode, 1, daemon)
            self.assertIn("unfinished copy", daemon.stderr)
            self.refused("unfinished copy", target, self.file("never"))
            self.refused("has changed since", changed, target)
            self.migrate(self.full.store, target)
            self.assertEqual(self.seen_of(target), self.seen)
