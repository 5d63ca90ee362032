# SPDX-License-Identifier: MIT
"""Files that cannot be used as a store: a clear message, exit code 1, and the file stays as it was;
or only what is damaged fails."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from normd import NORMD, PATIENCE, Daemon

LAYERS = 30
FEATURES = 300
PAGE = 4096
NOBODY = 65534
NOT_FOR_US = "the daemon's user needs"


def layer(i, *rest):
    return "/".join((f"/v1/models/m/layers/l{i}", *rest))


def statistics(i):
    return {"running_mean": [float(i)] * FEATURES, "running_var": [1.0] * FEATURES, "num_batches_tracked": 1}


def damage(path, offset, count=PAGE):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(b"\xff" * count)


def contents(directory):
    """All files of the folder, with their bytes."""
    found = {}
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                found[name] = f.read()
    return found


class StoreFile(unittest.TestCase):
    """Two stores to begin with: one that was stopped, and one that was killed,
    with nearly everything still in its WAL."""

    @classmethod
    def setUpClass(cls):
        cls.stores = tempfile.mkdtemp(prefix="normd-test-")
        daemon = Daemon("--log-level", "warn")
        for i in range(LAYERS):
            daemon.curl("PUT", layer(i), {"kind": "batch_norm", "num_features": FEATURES})
            daemon.curl("PUT", layer(i, "statistics"), statistics(i))
        path = daemon.store[len("sqlite:"):]
        daemon.kill()
        for suffix in ("", "-wal"):
            shutil.copyfile(path + suffix, os.path.join(cls.stores, "killed" + suffix))
        daemon.start()
        daemon.stop()
        shutil.copyfile(path, os.path.join(cls.stores, "stopped"))
        daemon.close()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.stores)

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        os.chmod(self.directory, 0o777)
        self.path = os.path.join(self.directory, "normd.db")

    def put(self, store):
        """A copy of the store that was stopped, or killed, in place."""
        for suffix in ("", "-wal"):
            if os.path.exists(os.path.join(self.stores, store + suffix)):
                shutil.copyfile(os.path.join(self.stores, store + suffix), self.path + suffix)
                os.chmod(self.path + suffix, 0o666)

    def start(self):
        self.daemon = Daemon("--log-level", "warn", store="sqlite:" + self.path)
        self.addCleanup(self.daemon.close)

    def read(self, i):
        """The layer's statistics as they were put, or the error's code; anything else fails."""
        answer = self.daemon.curl("GET", layer(i, "statistics"))
        if answer.status == 200:
            self.assertEqual(answer.json["running_mean"]["data"], [float(i)] * FEATURES, f"wrong data of layer {i}")
            return "right"
        return answer.code

    def train(self, i):
        return self.daemon.curl("POST", layer(i, "train") + "?output=false", {"data": [[1.0] * FEATURES] * 2})


class Modes(StoreFile):
    """Statistics may be private: a new store is its owner's alone. The mode of one that exists is the operator's."""

    def modes(self):
        return {os.stat(self.path + suffix).st_mode & 0o777 for suffix in ("", "-wal")}

    def start_with_umask(self, umask):
        before = os.umask(umask)
        try:
            self.start()
        finally:
            os.umask(before)

    def test_a_new_store(self):
        self.start_with_umask(0o022)
        self.assertEqual(self.modes(), {0o600})
        self.assertEqual(os.stat(self.daemon.port_file).st_mode & 0o777, 0o644, "the umask is the old one")

    def test_a_store_that_exists(self):
        self.put("stopped")
        os.chmod(self.path, 0o640)
        self.start_with_umask(0o022)
        self.train(0)
        self.assertEqual(self.modes(), {0o640})


class Refused(StoreFile):
    def refused(self, *words, path=None, unprivileged=False):
        """The daemon must end with 1 and one line that has these words; nothing in the folder may have changed."""
        command = [NORMD]
        if unprivileged and os.geteuid() == 0:
            shutil.copy(NORMD, self.stores)
            os.chmod(self.stores, 0o755)
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                       os.path.join(self.stores, "normd")]
        before = contents(self.directory)
        done = subprocess.run([*command, "--listen", "127.0.0.1:0", "--store", "sqlite:" + (path or self.path)],
                              capture_output=True, text=True, timeout=60 * PATIENCE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertTrue(done.stderr.startswith("normd: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in (path or self.path, *words):
            self.assertIn(word, done.stderr)
        self.assertEqual(contents(self.directory), before, "refused, and changed all the same")

    def test_what_is_not_a_regular_file(self):
        """Such a file would take all writes and keep nothing."""
        os.mkfifo(self.path)
        self.refused("is not a regular file")
        self.assertEqual(os.listdir(self.directory), ["normd.db"])
        self.refused("is not a regular file", path="/dev/null")
        self.assertFalse(os.path.exists("/dev/null-journal"))

    def test_a_file_that_may_not_be_written(self):
        self.put("stopped")
        os.chmod(self.path, 0o444)
        self.refused("cannot be written", NOT_FOR_US, unprivileged=True)

    def test_a_folder_that_may_not_be_written(self):
        self.put("stopped")
        os.chmod(self.directory, 0o555)
        self.refused("cannot be written", "and its folder", unprivileged=True)

    def test_a_folder_in_which_no_file_can_be_made(self):
        os.chmod(self.directory, 0o555)
        self.refused("cannot be written", "and its folder", unprivileged=True)

    def test_a_file_that_may_not_be_read(self):
        self.put("stopped")
        os.chmod(self.path, 0)
        self.refused("Permission denied", NOT_FOR_US, unprivileged=True)

    def test_a_wal_that_may_not_be_read(self):
        self.put("killed")
        os.chmod(self.path + "-wal", 0)
        self.refused("Permission denied", "the -wal beside it", unprivileged=True)

    def test_a_file_system_that_may_not_be_written(self):
        self.put("killed")
        for options in (["--bind", self.directory, self.directory], ["-o", "remount,bind,ro", self.directory]):
            mount = subprocess.run(["mount", *options], capture_output=True, text=True)
            if mount.returncode != 0:
                self.skipTest("nothing can be mounted here: " + mount.stderr.strip())
            if "--bind" in options:
                self.addCleanup(subprocess.run, ["umount", self.directory], check=True)
        self.refused("cannot be written")

    def test_a_folder_as_the_file(self):
        os.mkdir(self.path)
        self.refused("it is a folder")

    def test_a_folder_that_is_not_there(self):
        self.refused("its folder does not exist", path=os.path.join(self.directory, "no", "normd.db"))

    def test_a_truncated_file(self):
        for size in (100, PAGE, 5 * PAGE + 77, 20 * PAGE):
            with self.subTest(size):
                self.put("stopped")
                os.truncate(self.path, size)
                self.refused("is damaged", "restore a backup")

    def test_a_damaged_first_page(self):
        for offset, words in ((0, "not an SQLite database"), (100, "is damaged")):
            with self.subTest(offset):
                self.put("stopped")
                damage(self.path, offset, PAGE - offset)
                self.refused(words, "restore a backup")

    def test_a_damaged_file_and_a_wal(self):
        self.put("killed")
        self.start()
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.train(3).status, 200)
        self.daemon.kill()
        damage(self.path, 2 * PAGE, 20 * PAGE)
        self.refused("is damaged", "restore a backup")

    def test_the_wal_of_another_file(self):
        """SQLite would take it for this file's, and write it into it at the latest when it closes."""
        for store in ("stopped", "killed"):
            with self.subTest(store):
                self.put(store)
                other = os.path.join(self.directory, "other.db")
                db = sqlite3.connect(other, isolation_level=None)
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("CREATE TABLE pets(name)")
                db.executemany("INSERT INTO pets VALUES(?)", [("x" * 3000,)] * 100)
                shutil.copyfile(other + "-wal", self.path + "-wal")
                db.close()
                os.unlink(other)
                self.refused("not a normd store")

    def test_a_journal_of_another_file(self):
        """SQLite would roll it back into this one."""
        self.put("stopped")
        other = os.path.join(self.directory, "other.db")
        db = sqlite3.connect(other, isolation_level=None)
        db.execute("CREATE TABLE pets(name)")
        db.executemany("INSERT INTO pets VALUES(?)", [("x" * 3000,)] * 60)
        db.execute("PRAGMA cache_size=2")
        db.execute("BEGIN")
        db.execute("UPDATE pets SET name = name || 'y'")
        shutil.copyfile(other + "-journal", self.path + "-journal")
        db.close()
        self.refused("-journal", "move it away")
        os.unlink(self.path + "-journal")
        self.start()
        self.assertEqual({self.read(i) for i in range(LAYERS)}, {"right"})

    def test_a_file_that_another_program_holds(self):
        hold = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute(sys.argv[2]);" \
               " c.execute('SELECT count(*) FROM model').fetchall(); print(flush=True); sys.stdin.read()"
        for how in ("BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
            with self.subTest(how):
                self.put("stopped")
                holder = subprocess.Popen([sys.executable, "-c", hold, self.path, how], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE)
                try:
                    holder.stdout.readline()
                    done = subprocess.run([NORMD, "--listen", "127.0.0.1:0", "--store", "sqlite:" + self.path],
                                          capture_output=True, text=True, timeout=60 * PATIENCE)
                    self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
                    self.assertIn(f"{self.path} is in use by another process: stop that first", done.stderr)
                finally:
                    holder.communicate()
        self.start()
        self.assertEqual({self.read(i) for i in range(LAYERS)}, {"right"})


class DamagedLater(StoreFile):
    """The daemon runs, and only access to what is damaged fails."""

    def damage_a_leaf(self):
        """One of the pages in which the table of statistics keeps its rows."""
        db = sqlite3.connect(os.path.join(self.stores, "stopped"))
        pages = db.execute(
            "SELECT pageno FROM dbstat WHERE name = 'state' AND pagetype = 'leaf' ORDER BY pageno").fetchall()
        db.close()
        damage(self.path, (pages[len(pages) // 2][0] - 1) * PAGE)

    def assert_some_fail(self):
        outcomes = [self.read(i) for i in range(LAYERS)]
        self.assertEqual(set(outcomes), {"right", "storage_unavailable"})
        self.assertGreater(outcomes.count("right"), LAYERS // 2)
        good, bad = outcomes.index("right"), outcomes.index("storage_unavailable")
        self.assertEqual(self.train(bad).code, "storage_unavailable")
        self.assertEqual(self.train(good).status, 200)

    def test_a_page_that_was_damaged_while_it_was_stopped(self):
        self.put("stopped")
        self.damage_a_leaf()
        self.start()
        self.assert_some_fail()

    def test_a_page_that_is_damaged_while_it_runs(self):
        self.put("stopped")
        self.start()
        self.damage_a_leaf()
        self.assert_some_fail()

    def test_a_damaged_wal_loses_what_came_after_and_nothing_before(self):
        self.put("killed")
        size = os.path.getsize(self.path + "-wal")
        damage(self.path + "-wal", size // 2 // (PAGE + 24) * (PAGE + 24) + 32 + 100, 32)
        self.start()
        models = self.daemon.curl("GET", "/v1/models/m?limit=1000").json["layers"]
        kept = len(models)
        self.assertTrue(0 < kept < LAYERS)
        self.assertEqual({self.read(i) for i in range(kept - 1)}, {"right"})

    def gone(self, path, how):
        """Takes the file away from a running daemon: no update is acknowledged until the file is back."""
        self.put("stopped")
        self.start()
        self.assertEqual(self.train(0).status, 200)
        os.rename(path, path + ".away")
        how(path)
        answer = self.train(1)
        self.assertEqual((answer.status, answer.code), (503, "storage_unavailable"), answer)
        self.assertIn("deleted, moved or replaced", answer.json["detail"])
        self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 503)
        self.assertEqual(self.daemon.curl("POST", layer(0, "infer"), {"data": [[0.0] * FEATURES]}).status, 200)
        os.rename(path + ".away", path)
        self.assertEqual(self.train(1).status, 200)
        self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 200)
        self.daemon.kill()
        self.daemon.start()
        for i in (0, 1):
            self.assertEqual(self.daemon.curl("GET", layer(i, "statistics")).json["num_batches_tracked"], 2)

    def test_a_file_that_is_moved_away(self):
        self.gone(self.path, lambda path: None)

    def test_a_file_that_is_replaced(self):
        self.gone(self.path, lambda path: shutil.copyfile(os.path.join(self.stores, "stopped"), path))

    def test_a_wal_that_is_moved_away(self):
        self.gone(self.path + "-wal", lambda path: None)


if __name__ == "__main__":
    unittest.main()
