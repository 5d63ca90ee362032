# SPDX-License-Identifier: MIT
"""normd check and normd restore: findings, refusals, and that they change nothing else,
and how they show progress."""

import fcntl
import hashlib
import os
import pty
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
import unittest

from normd import NORMD, PATIENCE, Daemon

NAN = struct.pack("<d", float("nan"))
PAGE = 4096


def normd(*args, **options):
    return subprocess.run([os.path.abspath(NORMD), *args], capture_output=True, text=True, timeout=60 * PATIENCE,
                          **options)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def fill(daemon, layers=3, features=2):
    row = ",".join(["0.5"] * features)
    for i in range(layers):
        path = f"/v1/models/m{i % 2}/layers/l{i}"
        assert daemon.curl("PUT", path, {"kind": "batch_norm"}).status == 201
        assert daemon.curl("PUT", path + "/statistics",
                           '{"running_mean":[%s],"running_var":[%s]}' % (row, row)).status == 200
        assert daemon.curl("PUT", path + "/parameters", '{"weight":[%s],"bias":[%s]}' % (row, row)).status == 200
    assert daemon.curl("PUT", "/v1/models/m0/layers/ln",
                       {"kind": "layer_norm", "normalized_shape": [2, 3]}).status == 201
    assert daemon.curl("PUT", "/v1/models/m0/layers/open", {"kind": "batch_norm"}).status == 201


class Upkeep(unittest.TestCase):
    """A store of a stopped daemon, as a file `self.store` that each test may ruin."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="normd-test-")
        cls.sound = os.path.join(cls.directory, "sound.db")
        daemon = Daemon(store="sqlite:" + cls.sound)
        fill(daemon)
        daemon.stop()
        daemon.close()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.store = os.path.join(self.folder, "n.db")
        self.restored = os.path.join(self.folder, "r.db")
        shutil.copy(self.sound, self.store)

    def sql(self, *statements, path=None):
        db = sqlite3.connect(path or self.store)
        db.execute("PRAGMA journal_mode=DELETE")
        with db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def check(self, code, *words):
        done = normd("check", "--store", "sqlite:" + self.store)
        self.assertEqual(done.returncode, code, done)
        for word in words:
            self.assertIn(word, done.stdout + done.stderr)
        return done

    def restore(self, code, *words, source=None):
        done = normd("restore", "--from", source or self.store, "--store", "sqlite:" + self.restored)
        self.assertEqual(done.returncode, code, done)
        for word in words:
            self.assertIn(word, done.stdout + done.stderr)
        return done

    def refused(self, *words, source=None):
        """A restore that is refused leaves the folder as it is."""
        before = sorted(os.listdir(self.folder))
        self.restore(1, *words, source=source)
        self.assertEqual(sorted(os.listdir(self.folder)), before)


class Check(Upkeep):
    def test_a_sound_store_is_said_so_and_left_alone(self):
        before = digest(self.store)
        done = self.check(0, "is sound: 2 models, 5 layers")
        self.assertEqual((done.stderr, digest(self.store), os.listdir(self.folder)), ("", before, ["n.db"]))

    def test_features_that_a_batch_has_fixed_are_sound(self):
        """A layer of every kind that can be created without num_features, trained and with parameters."""
        daemon = Daemon(store="sqlite:" + os.path.join(self.folder, "kinds.db"))
        self.addCleanup(daemon.close)
        for kind in ("batch_norm", "instance_norm"):
            path = f"/v1/models/m/layers/{kind}"
            definition = {"kind": kind, "affine": True, "track_running_stats": True}
            for call in (("PUT", path, definition), ("POST", path + "/train", {"data": [[[1, 2], [3, 5]]]}),
                         ("PUT", path + "/parameters", {"weight": [1, 2], "bias": [3, 4]})):
                self.assertIn(daemon.curl(*call).status, (200, 201))
        daemon.stop()
        self.store = os.path.join(self.folder, "kinds.db")
        self.check(0, "is sound")
        self.restore(0)

    def test_what_cannot_be_checked(self):
        self.store = os.path.join(self.folder, "none.db")
        self.check(1, "none.db cannot be opened: No such file")
        self.assertFalse(os.path.exists(self.store), "and no file is made")
        with open(self.store, "w") as f:
            f.write("no database" * 1000)
        self.check(1, "is not an SQLite database")
        os.truncate(self.store, 0)
        self.check(1, "is empty")
        self.sql("CREATE TABLE t(a)")
        self.check(1, "not a normd store")
        self.store = self.folder
        self.check(1, "is not a file")
        shutil.copy(self.sound, self.restored)
        self.store = self.restored
        self.sql("PRAGMA user_version=99")
        self.check(1, "by a newer normd")

    def test_a_backup_that_may_not_be_written_to(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        mount = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, text=True)
        if mount.returncode != 0:
            self.skipTest("a file system cannot be mounted here: " + mount.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", disk])
        shutil.copy(self.store, disk)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        self.store = os.path.join(disk, "n.db")
        self.check(0, "is sound")
        self.restore(0)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        with open(self.store + "-wal", "w") as f:
            f.write("left")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        self.check(1, "has a log beside it")

    def test_a_store_in_use(self):
        daemon = Daemon(store="sqlite:" + self.store)
        self.addCleanup(daemon.close)
        self.check(1, "is in use by another process")
        self.assertEqual(daemon.curl("PUT", "/v1/models/m/layers/l", {"kind": "batch_norm"}).status, 201)
        self.refused("is in use by another process")
        daemon.kill()
        daemon.start()
        self.assertEqual(daemon.curl("GET", "/v1/models/m/layers/l").status, 200)

    def test_a_log_that_a_kill_has_left_is_read_and_stays(self):
        daemon = Daemon(store="sqlite:" + self.store)
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("PUT", "/v1/models/killed/layers/l", {"kind": "batch_norm"}).status, 201)
        daemon.kill()
        before = [digest(self.store), digest(self.store + "-wal")]
        self.check(0, "3 models, 6 layers")
        self.assertEqual([digest(self.store), digest(self.store + "-wal")], before)
        self.refused("-wal or -journal")
        daemon.start()
        self.assertEqual(daemon.curl("GET", "/v1/models/killed/layers/l").status, 200)

    def test_rows_that_cannot_be(self):
        cases = (
            ("UPDATE state SET revision = -1 WHERE layer_id = 1", "revision is negative"),
            ("UPDATE state SET count = -1 WHERE layer_id = 1", "count is negative"),
            ("UPDATE state SET decayed_count = -0.5 WHERE layer_id = 1", "decayed count is not a number"),
            ("UPDATE state SET decayed_count = 9e999 WHERE layer_id = 1", "decayed count is not a number"),
            ("UPDATE state SET decayed_count = 9223372036854775808.0 WHERE layer_id = 1", "decayed count is not"),
            ("UPDATE state SET frozen = 2 WHERE layer_id = 1", "frozen by another number than 0 or 1"),
            ("UPDATE state SET frozen = -1 WHERE layer_id = 1", "frozen by another number than 0 or 1"),
            ("UPDATE state SET num_batches_tracked = -5 WHERE layer_id = 1", "num_batches_tracked is negative"),
            ("UPDATE state SET features = -5 WHERE layer_id = 1", "number of features is negative"),
            ("UPDATE state SET features = 3 WHERE layer_id = 1", "do not have one value per feature"),
            ("UPDATE state SET features = 3 WHERE layer_id = 4", "3 features, its definition says 0"),
            ("UPDATE state SET running_var = NULL WHERE layer_id = 1", "but not the other"),
            ("UPDATE state SET running_mean = CAST(x'00' || running_mean AS BLOB) WHERE layer_id = 1",
             "cut off: 17 bytes"),
            (f"UPDATE state SET running_mean = x'{NAN.hex() * 2}' WHERE layer_id = 1",
             "running mean has an impossible value: nan at 0"),
            (f"UPDATE state SET running_var = x'{struct.pack('<2d', 1, -0.5).hex()}' WHERE layer_id = 1", "-0.5 at 1"),
            (f"UPDATE parameters SET weight = x'{NAN.hex() * 2}' WHERE layer_id = 1",
             "its weight has an impossible value"),
            (f"UPDATE parameters SET bias = x'{struct.pack('<d', 1).hex()}' WHERE layer_id = 1",
             "its weight has 2 values and its bias 1, instead of 2 each"),
            ("INSERT INTO parameters(layer_id, weight) VALUES(4, zeroblob(8))",
             "its weight has 1 value and its bias 0, instead of 6 each"),
            ("UPDATE layer SET definition = '{' WHERE id = 1", 'layer "l0" of model "m0"'),
            ("UPDATE layer SET definition = '{\"kind\":\"none\"}' WHERE id = 1", 'layer "l0" of model "m0"'),
            ("UPDATE layer SET name = '' WHERE id = 1", "impossible length"),
            ("UPDATE model SET name = hex(zeroblob(65)) WHERE id = 1", "impossible length"),
            ("DELETE FROM state WHERE layer_id = 1", "it has no state"),
            ("DELETE FROM model WHERE name = 'm1'", "table layer, row 2: its parent row in model is missing"),
            ("DELETE FROM layer WHERE id = 1", "table state, row 1: its parent row in layer is missing"),
            ("DROP TABLE parameters", "the schema is not that of a store"),
            ("CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM layer; END", 'at trigger "t"'),
            ("ALTER TABLE state ADD COLUMN more INTEGER", 'at table "state"'),
        )
        for statement, words in cases:
            with self.subTest(statement):
                shutil.copy(self.sound, self.store)
                self.sql(statement)
                self.check(1, words, "is damaged")
                self.refused(words, "nothing was restored")

    def test_names_in_a_hostile_file_do_not_reach_the_terminal_raw(self):
        self.sql('CREATE VIEW "\x1b]0;owned\x07\u009b2J" AS SELECT 1',
                 "UPDATE layer SET name = char(27) || '[2J' WHERE name = 'l1'")
        done = subprocess.run([NORMD, "check", "--store", "sqlite:" + self.store], capture_output=True,
                              timeout=60 * PATIENCE)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"?]0;owned", done.stdout)
        self.assertEqual({byte for byte in done.stdout + done.stderr if not 0x20 <= byte < 0x7f}, {ord("\n")})

    def test_what_an_operator_may_do(self):
        self.sql("ANALYZE")
        self.sql("PRAGMA page_size=8192", "PRAGMA user_version")
        self.check(0, "is sound")

    def test_a_damaged_file(self):
        """Every page in turn is overwritten, cut off, or loses a bit: an error or a finding, never a crash,
        and nothing is written."""
        size = os.path.getsize(self.sound)
        found = 0
        for page in range(size // PAGE):
            for damage in ("zeros", "noise", "bit", "cut"):
                shutil.copy(self.sound, self.store)
                with open(self.store, "r+b") as f:
                    if damage == "cut":
                        f.truncate(page * PAGE + PAGE // 2)
                    else:
                        f.seek(page * PAGE + (0 if damage != "bit" else 3))
                        f.write({"zeros": b"\0" * PAGE, "noise": b"\xa5" * PAGE, "bit": b"\xff"}[damage])
                before = digest(self.store)
                done = normd("check", "--store", "sqlite:" + self.store)
                with self.subTest(page=page, damage=damage):
                    self.assertIn(done.returncode, (0, 1), done)
                    self.assertEqual(digest(self.store), before)
                    self.assertEqual(os.listdir(self.folder), ["n.db"])
                    self.assertTrue(done.returncode == 0 or done.stderr or "is damaged" in done.stdout)
                found += done.returncode == 1
        self.assertGreaterEqual(found, 4 * (size // PAGE) - 2)  # a few bits are nobody's


@unittest.skipIf("valgrind" in os.environ.get("NORMD_PREFIX", ""), "valgrind knows no sandbox")
class Sandbox(Upkeep):
    """A hostile file meets no rights. What the sandbox denies is proved in tests/unit/test_sandbox_denied.c."""

    def test_files_are_read_in_it(self):
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1400)"
        self.sql(f"INSERT INTO layer (id, model_id, name, definition) {numbers} SELECT i, 1, 'no' || i, '{{}}' FROM n")
        for args in (["check", "--store", f"sqlite:{self.store}"],
                     ["restore", "--from", self.store, "--store", f"sqlite:{self.restored}"]):
            with self.subTest(args[0]):
                reader, writer = os.pipe()
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PAGE)  # normd waits, as its findings fill the pipe
                process = subprocess.Popen([NORMD, *args], stdout=writer, stderr=subprocess.DEVNULL)
                os.close(writer)
                os.read(reader, 1)
                with open(f"/proc/{process.pid}/status") as f:
                    status = dict(line.split(":", 1) for line in f)
                os.close(reader)
                process.wait(60 * PATIENCE)
                self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))


class Restore(Upkeep):
    def test_a_restored_store_is_the_backup(self):
        before = digest(self.store)
        done = self.restore(0, "is restored: 2 models, 5 layers")
        self.assertEqual((done.stderr, digest(self.store), digest(self.restored)), ("", before, before))
        self.assertEqual(sorted(os.listdir(self.folder)), ["n.db", "r.db"])
        self.assertEqual(os.stat(self.restored).st_mode & 0o777, 0o600)
        daemon = Daemon(store="sqlite:" + self.restored)
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("GET", "/v1/models").json["models"], ["m0", "m1"])

    def test_nothing_is_replaced(self):
        for end in ("", "-wal", "-journal"):
            with self.subTest(end):
                with open(self.restored + end, "w") as f:
                    f.write("precious")
                self.refused(f"r.db{end} exists already; move it away first")
                with open(self.restored + end) as f:
                    self.assertEqual(f.read(), "precious")
                os.unlink(self.restored + end)
        os.symlink("nowhere", self.restored)
        self.refused("exists already")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "nowhere")))

    def test_what_cannot_be_restored(self):
        self.refused("No such file", source=os.path.join(self.folder, "none"))
        self.refused("is not a file", source=self.folder)
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        self.refused("is not a file", source=fifo)
        with open(self.store + "-journal", "w") as f:
            f.write("left")
        self.refused("has a log beside it")
        os.unlink(self.store + "-journal")
        self.restored = os.path.join(self.folder, "no", "r.db")
        self.refused("No such file or directory")

    def test_names_that_mean_something_in_a_uri(self):
        for name in ("a?b=c#d%20e.db", " ", "ü.db"):
            source = os.path.join(self.folder, name)
            shutil.copy(self.sound, source)
            self.restored = os.path.join(self.folder, name + ".restored")
            self.restore(0, source=source)
            done = normd("restore", "--from", name, "--store", "sqlite:second", cwd=self.folder)
            self.assertEqual(done.returncode, 0, done)
            os.unlink(os.path.join(self.folder, "second"))

    def test_a_leftover_of_a_killed_restore_is_no_obstacle(self):
        with open(self.restored + "-restore", "w") as f:
            f.write("half")
        self.restore(0)
        self.assertEqual(sorted(os.listdir(self.folder)), ["n.db", "r.db"])

    def test_a_reader_of_the_backup_is_no_obstacle_but_a_writer_is(self):
        with open(self.store, "r+b") as f:
            fcntl.lockf(f, fcntl.LOCK_SH, 510, 0x40000002)
            self.restore(0)
            os.unlink(self.restored)
            fcntl.lockf(f, fcntl.LOCK_EX, 510, 0x40000002)
            self.refused("is in use by another process")

    def test_wrong_usage(self):
        for args in ((), ("--store", "sqlite:x"), ("--from",), ("--form", "x"),
                     ("--from", self.store, "--store", "postgresql://x")):
            done = normd("restore", *args, cwd=self.folder)
            self.assertEqual(done.returncode, 2, done)
        self.assertEqual(normd("check", "--store", "x").returncode, 2)
        self.assertEqual(normd("chek").returncode, 2)
        for command in ("check", "restore"):
            done = normd(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("NORMD_STORE", done.stdout)
            self.assertIn(f"normd {command}", normd("--help").stdout)

    def test_the_store_may_be_named_by_the_environment(self):
        done = normd("check", env={**os.environ, "NORMD_STORE": "sqlite:" + self.store})
        self.assertEqual(done.returncode, 0, done)

    def test_a_full_disk(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        size = os.path.getsize(self.store) // 2
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True,
                               text=True)
        if mount.returncode != 0:
            self.skipTest("a small file system cannot be mounted here: " + mount.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", disk])
        self.restored = os.path.join(disk, "r.db")
        self.restore(1, "the disk is full")
        self.assertEqual(os.listdir(disk), [])


class Large(unittest.TestCase):
    """A store that takes a while: some 60 MB."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="normd-test-")
        cls.store = os.path.join(cls.folder, "n.db")
        cls.restored = os.path.join(cls.folder, "r.db")
        daemon = Daemon(store="sqlite:" + cls.store)
        fill(daemon, layers=1)
        daemon.stop()
        daemon.close()
        db = sqlite3.connect(cls.store)
        with db:
            values = struct.pack("<4096d", *range(4096))
            for i in range(100, 1000):
                db.execute("INSERT INTO layer(id, model_id, name, definition) VALUES(?, 1, ?, "
                           "'{\"kind\":\"batch_norm\"}')", (i, f"x{i}"))
                db.execute("INSERT INTO state(layer_id, revision, features, num_batches_tracked, count, running_mean,"
                           " running_var) VALUES(?, 1, 4096, 1, 0, ?, ?)", (i, values, values))
        db.close()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def on_a_terminal(self, *args):
        """Runs with a pseudo-terminal as standard error; what was written there."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([NORMD, *args], stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while True:
                shown += os.read(ours, 4096)
        except OSError:  # how the end of a terminal reads
            pass
        os.close(ours)
        out = process.communicate()[0].decode()
        self.assertEqual(process.returncode, 0, (out, shown))
        return out, shown.decode()

    def test_progress_is_one_line_of_a_terminal(self):
        for args, steps in ((("check", "--store", "sqlite:" + self.store), ("layers",)),
                            (("restore", "--from", self.store, "--store", "sqlite:" + self.restored),
                             ("layers", "copying"))):
            out, shown = self.on_a_terminal(*args)
            self.assertEqual(out.count("\n"), 1)
            self.assertNotIn("\n", shown)
            for step in steps:
                self.assertRegex(shown, rf"\r\x1b\[K{step} +\d+%")
            self.assertTrue(shown.endswith("\r\x1b[K"), "the line is taken away at the end")
        os.unlink(self.restored)

    def test_without_a_terminal_there_is_none(self):
        self.assertEqual(normd("check", "--store", "sqlite:" + self.store).stderr, "")

    def test_a_kill_at_any_moment_leaves_no_store_or_all_of_it(self):
        began = time.monotonic()
        self.assertEqual(normd("restore", "--from", self.store, "--store", "sqlite:" + self.restored).returncode, 0)
        took = time.monotonic() - began
        whole = digest(self.restored)
        os.unlink(self.restored)
        seen = set()
        for i in range(24):
            process = subprocess.Popen([NORMD, "restore", "--from", self.store, "--store", "sqlite:" + self.restored],
                                       stdout=subprocess.DEVNULL)
            time.sleep(took * (i + 1) / 20)
            process.send_signal(signal.SIGKILL)
            process.wait()
            seen.add((os.path.exists(self.restored), os.path.exists(self.restored + "-restore")))
            if os.path.exists(self.restored):
                self.assertEqual(digest(self.restored), whole)
                os.unlink(self.restored)
        self.assertIn((False, False), seen)
        self.assertLessEqual({name for name in os.listdir(self.folder)}, {"n.db", "r.db-restore"})


if __name__ == "__main__":
    unittest.main()
