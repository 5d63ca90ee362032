# SPDX-License-Identifier: MIT
"""SIGKILL at random moments under load, again and again on the same store: what was acknowledged is there,
and what has a key, once."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
import unittest

from load import Load
from normd import PATIENCE, Daemon

# 20 in `make test`; `make torture-kill` has 500.
ROUNDS = int(os.environ.get("NORMD_KILL_ROUNDS") or 20)
SEED = int(os.environ.get("NORMD_KILL_SEED") or random.randrange(2**32))
PROGRESS_EVERY = 25
STATE = """SELECT l.name, s.num_batches_tracked, s.revision, s.count, s.running_mean
           FROM layer l JOIN state s ON s.layer_id = l.id JOIN model m ON m.id = l.model_id WHERE m.name = 'load'"""


@contextlib.contextmanager
def open_copy(path):
    """
    A connection to what the file and its WAL hold, once that is found sound.
    Of a copy, because a reader would write the WAL back, and recovering from it is the daemon's to do.
    """
    with tempfile.TemporaryDirectory(prefix="normd-test-") as directory:
        copy = os.path.join(directory, "copy.db")
        shutil.copyfile(path, copy)
        if os.path.exists(path + "-wal"):
            shutil.copyfile(path + "-wal", copy + "-wal")
        db = sqlite3.connect(copy)
        try:
            problems = db.execute("PRAGMA integrity_check").fetchall() + db.execute(
                "PRAGMA foreign_key_check").fetchall()
            if problems != [("ok",)]:
                raise AssertionError(f"the file is damaged: {problems}")
            yield db
        finally:
            db.close()


def read_store(path):
    """What a store holds: {layer: (updates, revision, rows, mean of the first feature)}."""
    with open_copy(path) as db:
        return {name: (*numbers, struct.unpack("<d", mean[:8])[0] if mean else 0.0)
                for name, *numbers, mean in db.execute(STATE)}


class KillUnderLoad(unittest.TestCase):
    ROLES = {"keyed": 24, "keyed-pieces": 8, "plain": 24, "vanish": 4, "infer": 4}
    LAYERS = 3

    def setUp(self):
        self.rng = random.Random(SEED)
        self.daemon = Daemon("--log-level", "warn", "--threads", "2")
        self.addCleanup(self.daemon.close)
        self.path = self.daemon.store[len("sqlite:"):]
        Load.make_layers(self.daemon, self.ROLES, self.LAYERS)
        self.load = Load(self.daemon, self.ROLES, self.LAYERS)
        self.addCleanup(self.load.close)

    def check(self, state, counts):
        """Checks that the store holds what the clients know, while some of their updates may be pending."""
        for role in self.ROLES:
            for layer in [] if role == "infer" else counts[role]["layers"]:
                updates, revision, rows, mean = state[layer["layer"]]
                known, maybe = layer["acknowledged"], layer["pending"] + layer["unknown"]
                self.assertGreaterEqual(updates, known, f"an acknowledged update is missing: {layer}")
                self.assertLessEqual(updates, known + maybe, f"an update was made twice: {layer}")
                self.assertEqual((revision, rows), (updates, self.load.rows * updates),
                                 "an update is there wholly or not at all")
                if maybe == 0:
                    self.assertEqual(round(mean * rows), layer["sum"], f"it is other updates that are there: {layer}")

    def kill(self):
        self.daemon.kill()
        os.unlink(self.daemon.port_file)

    def kill_in_recovery(self, state):
        """Kills it again while it starts: nothing may change."""
        process = subprocess.Popen(self.daemon.command(), stderr=subprocess.DEVNULL)
        time.sleep(self.rng.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertEqual(read_store(self.path), state)

    def progress(self, done, counts):
        if ROUNDS > 20 and done % PROGRESS_EVERY == 0:
            acknowledged = sum(layer["acknowledged"] for role in self.ROLES for layer in counts[role]["layers"])
            repeated = sum(counts[role]["repeated"] for role in self.ROLES)
            print(f"\n{done} kills, {acknowledged} updates acknowledged, {repeated} asked for again and answered alike",
                  end="", flush=True)

    def test_every_acknowledged_update_is_there_and_none_with_a_key_twice(self):
        interrupted = 0
        with self.subTest(seed=SEED):
            for done in range(1, ROUNDS + 1):
                time.sleep(self.rng.uniform(0.02, 0.5) * PATIENCE)
                self.kill()
                counts = self.load.hold()
                state = read_store(self.path)
                self.check(state, counts)
                interrupted += any(layer["pending"] for layer in counts["keyed"]["layers"])
                if done % 4 == 0:
                    self.kill_in_recovery(state)
                self.daemon.start()
                self.load.go()
                self.progress(done, counts)
            time.sleep(0.2)
            self.finish(interrupted)

    def finish(self, interrupted):
        counts = self.load.finish()
        self.daemon.stop()
        self.check(read_store(self.path), counts)
        for role in ("keyed", "keyed-pieces"):
            self.assertEqual(counts[role]["differing"], 0, "a repeat is answered as the first was")
            self.assertEqual(sum(layer["pending"] for layer in counts[role]["layers"]), 0)
        for role in self.ROLES:
            self.assertEqual(counts[role]["unexpected"], 0)
        self.assertGreater(counts["keyed"]["repeated"], ROUNDS)
        self.assertGreater(interrupted, ROUNDS // 2, "most kills met updates under way")
        self.progress(0, counts)


if __name__ == "__main__":
    unittest.main()
