# SPDX-License-Identifier: MIT
"""Large requests beside small ones: which threads do their work, that it is the same work,
and what becomes of it at the edges."""

import gzip
import io
import json
import os
import socket
import threading
import time
import unittest
from functools import partial

import numpy

import npy
from normd import PATIENCE, Client, ClientTest, Daemon, at_once, wait_for
from test_slow_clients import head

ALONE = True  # it measures how soon small requests are answered beside large ones

NPY = {"Content-Type": npy.TYPE}
SMALL = json.dumps({"kind": "layer_norm", "normalized_shape": [4], "data": [[1, 2, 3, 4]]})


class OneLoop(ClientTest):
    daemon_args = ("--threads", "1")

    def computing_ns(self):
        """The processor time of the computing threads."""
        tasks, total = f"/proc/{self.daemon.process.pid}/task", 0
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm") as f:
                if f.read().strip() != "compute":
                    continue
            with open(f"{tasks}/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        return total


class Fairness(OneLoop):
    def batch(self, rows):
        return numpy.random.default_rng(4).standard_normal((rows, 64), dtype=numpy.float32)

    def trained(self):
        self.put_layer()
        self.ask("POST", self.path("bn", "train"), npy.save(self.batch(300)), NPY)

    def test_large_ones_are_computed_apart_and_small_ones_are_not(self):
        self.trained()
        before = self.computing_ns()
        for _ in range(20):
            self.ask("POST", self.path("bn", "train"), npy.save(self.batch(300)), NPY)
            self.ask("POST", self.path("bn", "infer"), npy.save(self.batch(300)), NPY)
        self.assertEqual(self.computing_ns(), before)
        for call, body, headers in (("infer", npy.save(self.batch(8000)), NPY),
                                    ("train", npy.save(self.batch(8000)), NPY),
                                    ("infer", json.dumps({"data": self.batch(1000).tolist()}), {})):
            before = self.computing_ns()
            self.ask("POST", self.path("bn", call), body, headers)
            self.assertGreater(self.computing_ns(), before)

    def test_many_features_are_written_apart(self):
        self.put_layer()
        self.ask("PUT", self.path("bn", "statistics"),
                 json.dumps({"running_mean": [0.1] * 5000, "running_var": [1.1] * 5000,
                             "num_batches_tracked": 1}))
        before = self.computing_ns()
        self.assertEqual(len(self.ask("GET", self.path("bn", "statistics")).json["running_mean"]["data"]), 5000)
        self.assertGreater(self.computing_ns(), before)

    def ask_and_time(self, method, path, body=None, status=200):
        """The answer, and the time that the computing threads spent meanwhile."""
        before = self.computing_ns()
        return self.ask(method, path, body, status=status), self.computing_ns() - before

    def test_what_a_short_request_makes_long_is_done_apart(self):
        """Whatever is asked for in a few bytes and takes long to write or to read;
        the same call of a small size is not."""
        self.put_layer("small", {"kind": "layer_norm", "normalized_shape": [8]})
        self.put_layer("wide", {"kind": "layer_norm", "normalized_shape": [200, 100]})
        self.put_layer("bn", {"kind": "batch_norm", "num_features": 5000})
        for i in range(60):
            self.put_layer(f"l{i}")
            self.call("PUT", f"/v1/models/{self.model}-{i}/layers/l", {"kind": "batch_norm"})
        model = f"/v1/models/{self.model}"
        long = json.dumps({"kind": "batch_norm", "x": [1] * 20000})
        for method, path, body in (("GET", self.path("small", "parameters"), None),
                                   ("PUT", self.path("small", "parameters"), "{}"),
                                   ("GET", model + "?limit=4", None), ("GET", "/v1/models?limit=50", None),
                                   ("GET", self.path("wide"), None), ("DELETE", self.path("l0", "statistics"), None)):
            with self.subTest(here=(method, path)):
                self.assertEqual(self.ask_and_time(method, path, body)[1], 0)
        for method, path, body, status in (("GET", self.path("wide", "parameters"), None, 200),
                                           ("PUT", self.path("wide", "parameters"), "{}", 200),
                                           ("GET", model + "?limit=50", None, 200),
                                           ("DELETE", self.path("bn", "statistics"), None, 200),
                                           ("PUT", self.path("x"), long, 400)):
            with self.subTest(apart=(method, path)):
                self.assertGreater(self.ask_and_time(method, path, body, status)[1], 0)

    def test_a_page_of_layers_that_is_written_apart(self):
        names = sorted(f"l{i}" for i in range(250))
        for name in names:
            self.put_layer(name)
        page, spent = self.ask_and_time("GET", f"/v1/models/{self.model}?limit=200")
        self.assertGreater(spent, 0)
        self.assertEqual([layer["name"] for layer in page.json["layers"]], names[:200])
        self.assertEqual(page.json["next"], names[199])
        rest = self.ask("GET", f"/v1/models/{self.model}?limit=200&after={names[199]}").json
        self.assertEqual(([layer["name"] for layer in rest["layers"]], rest["next"]), (names[200:], None))

    def test_the_same_bits(self):
        """A large batch in inference is what its pieces are, in either form;
        what training makes of it is what numpy makes of it."""
        self.trained()
        batch = self.batch(4096)
        whole = self.ask("POST", self.path("bn", "infer"), npy.save(batch), NPY).raw
        pieces = [numpy.load(io.BytesIO(self.ask("POST", self.path("bn", "infer"), npy.save(batch[i:i + 256]),
                                                 NPY).raw))
                  for i in range(0, 4096, 256)]
        self.assertEqual(whole, npy.save(numpy.concatenate(pieces)))
        text = self.ask("POST", self.path("bn", "infer"), json.dumps({"data": batch.tolist()})).json["data"]
        self.assertTrue(numpy.array_equal(numpy.float32(text), numpy.concatenate(pieces)))
        self.put_layer("fresh")
        answer = self.ask("POST", self.path("fresh", "train"), npy.save(batch), NPY)
        statistics = self.ask("GET", self.path("fresh", "statistics")).json
        exact = batch.astype(numpy.float64)
        self.assertClose(statistics["running_mean"]["data"], list(0.1 * exact.mean(axis=0)), rtol=1e-9, atol=1e-15)
        self.assertClose(statistics["running_var"]["data"], list(0.9 + 0.1 * exact.var(axis=0, ddof=1)), rtol=1e-9)
        expected = (exact - exact.mean(axis=0)) / numpy.sqrt(exact.var(axis=0) + 1e-5)
        self.assertTrue(numpy.allclose(numpy.load(io.BytesIO(answer.raw)), expected, rtol=1e-6, atol=1e-6))

    def test_refused_apart(self):
        """An error found on a computing thread is answered like any other and changes nothing."""
        self.trained()
        before = self.ask("GET", self.path("bn", "statistics")).raw
        poisoned = self.batch(4096)
        poisoned[4000, 63] = numpy.nan
        self.assertEqual(self.ask("POST", self.path("bn", "train"), npy.save(poisoned), NPY, 422).code,
                         "non_finite_input")
        self.assertEqual(self.ask("POST", self.path("bn", "train"), npy.save(self.batch(4096).reshape(-1, 32)), NPY,
                                  422).code,
                         "shape_mismatch")
        self.assertEqual(self.ask("GET", self.path("bn", "statistics")).raw, before)

    def test_a_layer_that_is_not_in_memory(self):
        """The event loop asks the store first; then a computing thread computes."""
        self.trained()
        self.daemon.stop()
        self.daemon.start()
        self.client = Client(self.daemon.port)
        self.ask("POST", self.path("bn", "train"), npy.save(self.batch(4096)), NPY)
        self.assertEqual(self.ask("GET", self.path("bn", "statistics")).json["num_batches_tracked"], 2)

    def test_all_at_once(self):
        """Many clients train and infer, with large and small tensors: every answer is whole, no update is lost."""
        self.trained()
        rows, count, threads = (64, 2500), (10 if PATIENCE == 1 else 3), 8
        expected = {n: self.ask("POST", self.path("bn", "infer"), npy.save(self.batch(n)), NPY).raw for n in rows}

        def work(number):
            client, size = Client(self.daemon.port), rows[number % 2]
            try:
                for _ in range(count):
                    answer = client.request("POST", self.path("train", "train"), npy.save(self.batch(size)), NPY)
                    self.assertEqual((answer.status, len(answer.raw)), (200, len(expected[size])))
                    self.assertEqual(client.request("POST", self.path("bn", "infer"), npy.save(self.batch(size)),
                                                    NPY).raw, expected[size])
            finally:
                client.close()

        self.put_layer("train")
        at_once([partial(work, i) for i in range(threads)])
        self.assertEqual(self.ask("GET", self.path("train", "statistics")).json["num_batches_tracked"], count * threads)

    def test_clients_that_are_gone_when_it_is_computed(self):
        self.trained()
        body = npy.save(self.batch(8000))
        before = self.daemon.descriptors()
        for call in ("train", "infer") * 10:
            with socket.create_connection(("127.0.0.1", self.daemon.port)) as s:
                s.sendall(head(len(body), b"Content-Type: application/x-npy\r\n", self.path("bn", call).encode()) +
                          body)
        wait_for(lambda: self.daemon.descriptors() <= before, "their connections are closed")
        self.ask("POST", self.path("bn", "train"), body, NPY)


class PackedSmall(OneLoop):
    """Bodies that become very large when they are decompressed."""

    daemon_args = ("--threads", "1", "--max-body", "64MiB")
    HEADERS = {"Content-Encoding": "gzip"}

    def bomb(self, mib):
        return gzip.compress(b'{"kind":"layer_norm","normalized_shape":[2],"data":[[1,2]' + b" " * (mib << 20) + b"]}")

    def test_it_is_taken(self):
        before = self.computing_ns()
        answer = self.ask("POST", "/v1/normalize", self.bomb(40), self.HEADERS)
        self.assertEqual(answer.json["shape"], [1, 2])
        self.assertGreater(self.computing_ns(), before)
        self.assertEqual(self.ask("POST", "/v1/normalize", self.bomb(65), self.HEADERS, 413).code, "body_too_large")
        self.ask("POST", "/v1/normalize", SMALL)

    def test_in_pieces_of_any_size(self):
        """The rest of a piece is still there when more has come after it, chunked or not,
        and none of it is taken twice."""
        body = gzip.compress(json.dumps({"kind": "layer_norm", "normalized_shape": [2],
                                         "data": [[1, 2]] * 300_000}).encode())
        expected = self.ask("POST", "/v1/normalize", body, self.HEADERS).raw
        self.assertGreater(len(expected), 300_000 * 5)
        for size in (1000, 9000, 40_000):
            pieces = [body[i:i + size] for i in range(0, len(body), size)]
            for chunked in (False, True):
                with socket.create_connection(("127.0.0.1", self.daemon.port)) as s:
                    s.sendall(head(None if chunked else len(body), b"Content-Encoding: gzip\r\nConnection: close\r\n"))
                    for piece in pieces:
                        s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                    s.sendall(b"0\r\n\r\n" if chunked else b"")
                    answer = b"".join(iter(lambda: s.recv(1 << 20), b""))
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:500])
                self.assertGreater(len(answer), len(expected))

    def test_others_are_served_meanwhile(self):
        """With one event loop: no small request waits nearly as long as the bomb takes."""
        body = self.bomb(60)
        best = 0
        for _ in range(5):
            stop, waits = threading.Event(), []

            def small():
                client = Client(self.daemon.port)
                while not stop.is_set():
                    began = time.monotonic()
                    client.request("POST", "/v1/normalize", SMALL)
                    waits.append(time.monotonic() - began)
                client.close()

            thread = threading.Thread(target=small)
            thread.start()
            time.sleep(0.02)
            began = time.monotonic()
            self.ask("POST", "/v1/normalize", body, self.HEADERS)
            took = time.monotonic() - began
            stop.set()
            thread.join()
            best = max(best, took / max(waits))
        self.assertGreater(best, 4)

    def test_a_damaged_one(self):
        body = self.bomb(40)
        self.assertEqual(self.ask("POST", "/v1/normalize", body[:-8] + b"12345678", self.HEADERS, 400).code, "bad_json")


class Draining(unittest.TestCase):
    def test_long_requests_are_answered(self):
        daemon = Daemon("--threads", "1")
        self.addCleanup(daemon.close)
        client = Client(daemon.port)
        self.assertEqual(client.request("PUT", "/v1/models/m/layers/bn", '{"kind":"batch_norm"}').status, 201)
        client.close()
        body, answers = npy.save(numpy.ones((40_000, 64), numpy.float32)), []

        def train():
            with socket.create_connection(("127.0.0.1", daemon.port)) as s:
                s.sendall(head(len(body), b"Content-Type: application/x-npy\r\nConnection: close\r\n",
                               b"/v1/models/m/layers/bn/train"))
                s.sendall(body)
                sent.release()
                answers.append(b"".join(iter(lambda: s.recv(1 << 20), b"")))

        sent = threading.Semaphore(0)
        threads = [threading.Thread(target=train) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in threads:
            sent.acquire()
        daemon.stop()
        for thread in threads:
            thread.join()
        for answer in answers:
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:300])
            self.assertGreater(len(answer), len(body))


if __name__ == "__main__":
    unittest.main()
