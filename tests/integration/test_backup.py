# SPDX-License-Identifier: MIT
"""GET /v1/backup: a copy that is taken under load is an acknowledged state, and whatever becomes of a backup,
nothing else is harmed."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from normd import NORMD, PATIENCE, Client, Daemon, DaemonTest, wait_for
from small_disk import start_on_small_disk

MB = 1 << 20
BALLAST_FEATURES = 4096  # 64 KiB a layer


def ballast(daemon, megabytes):
    """Layers that make the store this large."""
    client = daemon.client()
    values = ",".join(["0.25"] * BALLAST_FEATURES)
    body = '{"running_mean":[%s],"running_var":[%s]}' % (values, values)
    for i in range(megabytes * MB // (16 * BALLAST_FEATURES)):
        path = f"/v1/models/ballast/layers/l{i}"
        assert client.request("PUT", path, {"kind": "batch_norm"}).status == 201
        assert client.request("PUT", path + "/statistics", body).status == 200
    client.close()


def nameless(daemon):
    """Deleted files that the daemon still has open."""
    folder = f"/proc/{daemon.process.pid}/fd"
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(os.path.join(folder, name)))
        except FileNotFoundError:
            pass
    return [link for link in links if link.endswith("(deleted)")]


def restored(test, backup):
    """A daemon on a store that was restored from these bytes."""
    daemon = Daemon(start=False)
    test.addCleanup(daemon.close)
    path = os.path.join(daemon.directory, "backup")
    with open(path, "wb") as f:
        f.write(backup)
    done = subprocess.run([NORMD, "restore", "--from", path, "--store", daemon.store], capture_output=True, text=True)
    test.assertEqual(done.returncode, 0, done)
    daemon.start()
    return daemon


class Download:
    """A backup that the test reads as slowly as it wants."""

    def __init__(self, daemon, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60 * PATIENCE)
        self.socket.connect(("127.0.0.1", daemon.port))
        self.socket.sendall(b"GET /v1/backup HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def read_head(self):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.socket.recv(4096)
            assert piece, head
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        self.body = bytearray(rest)
        self.status = int(head.split()[1])
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        self.headers = headers
        self.length = int(headers["content-length"])
        return self

    def read(self, size=1 << 16):
        """Some bytes; False at the end, or when it was cut."""
        if len(self.body) >= self.length:
            return False
        piece = self.socket.recv(size)
        self.body += piece
        return bool(piece)

    def read_all(self):
        while self.read():
            pass
        return bytes(self.body)

    def close(self):
        self.socket.close()


class Load(threading.Thread):
    """A client that trains its layers in turn, each with numbered batches,
    and knows what was sent and what was acknowledged."""

    def __init__(self, port, layers, batch):
        super().__init__()
        self.client = Client(port)
        self.layers, self.batch = layers, batch
        self.sent = dict.fromkeys(layers, 0)
        self.acknowledged = dict.fromkeys(layers, 0)
        self.stopping, self.failed = False, None

    def run(self):
        while not self.stopping and self.failed is None:
            for layer in self.layers:
                self.sent[layer] += 1
                answer = self.client.request("POST", f"/v1/models/m/layers/{layer}/train?output=false",
                                             self.batch(layer, self.sent[layer]))
                if answer.status != 200:
                    self.failed = answer
                    return
                self.acknowledged[layer] += 1


class UnderLoad(unittest.TestCase):
    """
    Sixteen clients. Eight have two layers of their own each, trained in turn by numbered batches: what a state of the
    first allows for the second is known. Eight train one layer together, all with the same batch, so that their order
    does not matter.
    """

    @staticmethod
    def batch(layer, number):
        if layer == "shared":
            return {"data": [[0.1, 20.0], [0.3, -40.0], [0.7, 60.5]]}
        seed = sum(map(ord, layer))
        return {"data": [[0.1 * number, -3.0 * seed], [number / 7, 1.0 / seed], [2.5, number * 1e-3]]}

    def setUp(self):
        self.daemon = Daemon("--log-level", "warn")
        self.addCleanup(self.daemon.close)
        ballast(self.daemon, 16)
        own = [(f"a{i}", f"b{i}") for i in range(8)]
        self.layers = [layer for pair in own for layer in pair] + ["shared"]
        for layer in self.layers:
            self.daemon.curl("PUT", f"/v1/models/m/layers/{layer}",
                             {"kind": "batch_norm", "averaging": "pooled" if layer < "b" else "exponential"})
        self.loads = [Load(self.daemon.port, pair, self.batch) for pair in own]
        self.loads += [Load(self.daemon.port, ("shared",), self.batch) for _ in range(8)]

    def count(self, what):
        counts = dict.fromkeys(self.layers, 0)
        for load in self.loads:
            for layer, n in getattr(load, what).items():
                counts[layer] += n
        return counts

    def take_backups(self):
        """(acknowledged before, the backup, sent after) for each client."""
        taken = []
        for _ in range(5):
            time.sleep(0.2)
            before = self.count("acknowledged")
            answer = self.daemon.client().request("GET", "/v1/backup")
            self.assertEqual(answer.status, 200, answer)
            taken.append((before, answer.raw, self.count("sent")))
        return taken

    def statistics(self, daemon):
        client = daemon.client()
        try:
            return {layer: client.request("GET", f"/v1/models/m/layers/{layer}/statistics").json
                    for layer in self.layers}
        finally:
            client.close()

    def replay(self, wanted):
        """The statistics of each layer after each number of updates that is wanted,
        by training a new store one batch at a time."""
        daemon = Daemon("--log-level", "warn")
        self.addCleanup(daemon.close)
        client = daemon.client()
        states = {}
        for layer in self.layers:
            path = f"/v1/models/m/layers/{layer}"
            client.request("PUT", path, {"kind": "batch_norm", "averaging": "pooled" if layer < "b" else "exponential"})
            for number in range(1, max(wanted[layer]) + 1):
                client.request("POST", path + "/train?output=false", self.batch(layer, number))
                if number in wanted[layer]:
                    states[layer, number] = client.request("GET", path + "/statistics").json
        return states

    def test_a_backup_is_an_acknowledged_state(self):
        for load in self.loads:
            load.start()
        try:
            taken = self.take_backups()
        finally:
            for load in self.loads:
                load.stopping = True
                load.join()
        self.assertEqual([load.failed for load in self.loads if load.failed], [])
        found = [self.statistics(restored(self, backup)) for _, backup, _ in taken]
        counts = [{layer: state["num_batches_tracked"] for layer, state in states.items()} for states in found]
        for (before, _, after), count in zip(taken, counts):
            for layer in self.layers:
                self.assertGreater(count[layer], 0)
                self.assertGreaterEqual(count[layer], before[layer],
                                        f"{layer}: an update is missing that was acknowledged before")
                self.assertLessEqual(count[layer], after[layer], f"{layer}: an update that nobody sent")
            for i in range(8):
                self.assertIn(count[f"a{i}"] - count[f"b{i}"], (0, 1), "the layers are of different moments")
        self.assertGreater(counts[-1]["shared"], counts[0]["shared"])
        states = self.replay({layer: {count[layer] for count in counts} for layer in self.layers})
        for i, count in enumerate(counts):
            for layer in self.layers:
                self.assertEqual(found[i][layer], states[layer, count[layer]], f"backup {i}, {layer}")


class Answers(DaemonTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ballast(cls.daemon, 2)

    def test_headers(self):
        answer = self.call("GET", "/v1/backup")
        self.assertEqual(answer.headers["content-type"], "application/vnd.sqlite3")
        self.assertRegex(answer.headers["content-disposition"], r'^attachment; filename="normd-\d{8}T\d{6}Z\.db"$')
        self.assertEqual(int(answer.headers["content-length"]), len(answer.raw))
        self.assertTrue(answer.raw.startswith(b"SQLite format 3\0"))
        self.assertIn("x-request-id", answer.headers)
        wait_for(lambda: '"/v1/backup"' in self.daemon.log(), "the log line")
        line = [line for line in self.daemon.log_lines() if line.get("target") == "/v1/backup"][-1]
        self.assertEqual((line["status"], line["bytes_out"]), (200, len(answer.raw)))

    def test_head_has_the_length_and_no_body(self):
        answer = self.daemon.client().request("HEAD", "/v1/backup")
        self.assertEqual((answer.status, answer.raw), (200, b""))
        self.assertGreater(int(answer.headers["content-length"]), 2 * MB)

    def test_what_is_refused(self):
        self.refused("method_not_allowed", 405, "POST", "/v1/backup")
        self.refused("bad_parameter", 400, "GET", "/v1/backup?since=1")
        self.refused("bad_parameter", 400, "GET", "/v1/backup", body="{}")
        self.refused("not_acceptable", 406, "GET", "/v1/backup", headers={"Accept": "application/json"})
        self.refused("not_acceptable", 406, "GET", "/v1/backup", headers={"Accept-Encoding": "gzip, identity;q=0"})

    def test_it_is_not_packed(self):
        answer = self.call("GET", "/v1/backup",
                           headers={"Accept": "application/vnd.sqlite3", "Accept-Encoding": "gzip"})
        self.assertNotIn("content-encoding", answer.headers)
        self.assertTrue(answer.raw.startswith(b"SQLite format 3\0"))

    def test_one_file_is_enough_for_any_tool(self):
        """The copy needs no log: a store opens it unchanged, and so does a reader that may not write beside it."""
        folder = tempfile.mkdtemp(prefix="normd-test-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "b.db")
        with open(path, "wb") as f:
            f.write(self.call("GET", "/v1/backup").raw)
        self.assertEqual(f"{self.call('GET', '/v1/backup').raw[18:20].hex()}", "0101")
        daemon = Daemon(store="sqlite:" + path)
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("GET", "/v1/models").json["models"], ["ballast"])

    def test_an_empty_store(self):
        empty = Daemon()
        self.addCleanup(empty.close)
        copy = restored(self, empty.curl("GET", "/v1/backup").raw)
        self.assertEqual(copy.curl("GET", "/v1/models").json["models"], [])
        self.assertEqual(copy.curl("PUT", "/v1/models/m/layers/l", {"kind": "batch_norm"}).status, 201)


class Clients(unittest.TestCase):
    """Readers of a store of 32 MB, more than sockets hold."""

    def start(self, *args):
        self.daemon = Daemon(*args)
        self.addCleanup(self.daemon.close)
        ballast(self.daemon, 32)
        self.assertEqual(self.daemon.curl("PUT", "/v1/models/m/layers/l", {"kind": "batch_norm"}).status, 201)

    def download(self, receive_buffer=None):
        d = Download(self.daemon, receive_buffer)
        self.addCleanup(d.close)
        return d

    def assert_trains(self):
        self.assertEqual(self.daemon.curl("POST", "/v1/models/m/layers/l/train", {"data": [[1, 2], [3, 5]]}).status,
                         200)

    def assert_nothing_is_left(self):
        wait_for(lambda: nameless(self.daemon) == [], "the copy's space is given back")
        self.assertEqual([name for name in os.listdir(self.daemon.directory) if "backup" in name], [])

    def test_one_that_hangs_up(self):
        self.start()
        at_once = self.download()
        at_once.close()
        in_the_middle = self.download().read_head()
        self.assertNotEqual(nameless(self.daemon), [])
        in_the_middle.read()
        self.assert_trains()
        in_the_middle.close()
        self.assert_nothing_is_left()
        self.assert_trains()
        self.assertEqual(self.download().read_head().status, 200)

    def test_several_read_at_once_and_too_many_are_told(self):
        self.start("--client-timeout", "300")  # they read one after the other
        readers = [self.download().read_head() for _ in range(4)]
        self.assertEqual([r.status for r in readers], [200] * 4)
        refused = self.daemon.curl("GET", "/v1/backup")
        self.assertEqual((refused.status, refused.code, refused.headers["retry-after"]), (503, "overloaded", "10"))
        self.assert_trains()
        bodies = {reader.read_all() for reader in readers}
        self.assertEqual(len(bodies), 1)
        self.assertEqual(len(bodies.pop()), readers[0].length)
        self.assert_nothing_is_left()
        self.assertEqual(self.daemon.curl("GET", "/v1/backup").status, 200)

    def test_a_slow_one_is_let_be_and_one_that_stops_is_cut(self):
        timeout_s = int(2 * PATIENCE)
        self.start("--client-timeout", str(timeout_s))
        slow, stopped = self.download(16384).read_head(), self.download(16384).read_head()
        until = time.monotonic() + 2.5 * timeout_s
        while time.monotonic() < until:
            self.assertTrue(slow.read(8192), "cut although it read on")
            time.sleep(0.05)
        wait_for(lambda: any(line.get("aborted") == "timeout" and line.get("target") == "/v1/backup"
                             for line in self.daemon.log_lines()),
                 "the one that stopped is cut")
        slow.close()
        stopped.close()
        self.assert_nothing_is_left()

    def test_a_drain_lets_a_download_end(self):
        self.start("--drain-timeout", str(int(60 * PATIENCE)), "--client-timeout", "300")
        reader = self.download().read_head()
        process = self.daemon.process
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: "draining" in self.daemon.log(), "it drains")
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        self.assertEqual(len(reader.read_all()), reader.length)
        # Without another signal, which would end the drain at once.
        self.assertEqual(process.wait(60 * PATIENCE), 0)
        self.daemon.process = None
        self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 0)

    def test_a_drain_does_not_wait_longer_than_it_may(self):
        self.start("--drain-timeout", "1", "--client-timeout", "100")
        self.download().read_head()
        began = time.monotonic()
        self.daemon.stop()
        self.assertLess(time.monotonic() - began, 1 + 5 * PATIENCE)
        self.assertEqual(self.daemon.log_lines()[-1]["requests_cut"], 1)
        self.assertEqual(os.listdir(self.daemon.directory).count("normd.db"), 1)

    def test_a_kill_leaves_nothing(self):
        self.start()
        for read in (False, True):
            reader = self.download()
            if read:
                reader.read_head()
            else:
                time.sleep(0.01)  # while the copy is made
            self.daemon.kill()
            self.assertEqual({name for name in os.listdir(self.daemon.directory)
                              if name.startswith("normd.db")} - {"normd.db", "normd.db-wal"}, set())
            self.daemon.start()
            self.assert_trains()


class FullDisk(unittest.TestCase):
    def setUp(self):
        start_on_small_disk(self, "64m")

    def free(self):
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize

    def test_a_copy_that_does_not_fit(self):
        ballast(self.daemon, 16)
        self.assertEqual(self.daemon.curl("PUT", "/v1/models/m/layers/l", {"kind": "batch_norm"}).status, 201)
        with open(os.path.join(self.disk, "other"), "wb") as f:
            f.truncate(1)
            os.posix_fallocate(f.fileno(), 0, self.free() - 24 * MB)
        load = Load(self.daemon.port, ("l",), lambda layer, number: {"data": [[1], [number]]})
        load.start()
        try:
            for _ in range(5):
                answer = self.daemon.curl("GET", "/v1/backup")
                self.assertEqual((answer.status, answer.code), (507, "storage_full"))
        finally:
            load.stopping = True
            load.join()
        self.assertIsNone(load.failed, "training goes on")
        self.assertEqual(self.daemon.curl("GET", "/v2/health/ready").status, 200)
        wait_for(lambda: self.free() > 20 * MB and nameless(self.daemon) == [], "the space is given back")
        os.unlink(os.path.join(self.disk, "other"))
        self.assertEqual(self.daemon.curl("GET", "/v1/backup").status, 200)


if __name__ == "__main__":
    unittest.main()
