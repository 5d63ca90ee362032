# SPDX-License-Identifier: MIT
"""Idempotency-Key: repeated requests make one update and get the same answer."""

import gzip
import json
import socket
import sqlite3
import time
import unittest

from normd import PATIENCE, Client, Daemon, DaemonTest, at_once, wait_for

BATCH = {"data": [[1, 20], [3, 40], [5, 60]]}
MOMENTS = {"count": 4, "mean": [1, 2], "var": [3, 4]}


def key(text):
    return {"Idempotency-Key": text}


class Keys(DaemonTest):
    def count(self, layer="bn"):
        return self.call("GET", self.path(layer, "statistics")).json["num_batches_tracked"]

    def train(self, body, headers, layer="bn", query="", status=200):
        return self.call("POST", self.path(layer, "train") + query, body, headers, status=status)

    def test_a_repeat_answers_the_same_and_changes_nothing(self):
        self.put_layer()
        first = self.train(BATCH, key('"a"'))
        self.train({"data": [[0, 0], [1, 1]]}, key('"b"'))
        again = self.train(BATCH, key('"a"'))
        self.assertEqual((again.raw, again.headers["etag"]), (first.raw, first.headers["etag"]))
        self.assertEqual((first.json["num_batches_tracked"], first.json["revision"], self.count()), (1, 1, 2))

    def test_quotes_make_no_difference(self):
        self.put_layer()
        first = self.train(BATCH, key(r'"a \"b\" \\ c"'))
        self.assertEqual(self.train(BATCH, key(r'a "b" \ c')).raw, first.raw)
        self.assertEqual(self.count(), 1)

    def test_another_body_is_a_mismatch(self):
        self.put_layer()
        self.train(BATCH, key("a"))
        self.refused("idempotency_mismatch", 422, "POST", self.path("bn", "train"), {"data": [[1, 20], [3, 41]]},
                     key("a"))
        self.refused("idempotency_mismatch", 422, "POST", self.path("bn", "train"), json.dumps(BATCH) + " ", key("a"))
        self.refused("idempotency_mismatch", 422, "POST", self.path("bn", "statistics", "merge"), MOMENTS, key("a"))
        self.assertEqual(self.count(), 1)

    def test_merge(self):
        self.put_layer()
        path = self.path("bn", "statistics", "merge")
        first = self.call("POST", path, MOMENTS, key("m"))
        self.assertEqual(self.call("POST", path, MOMENTS, key("m")).raw, first.raw)
        self.refused("idempotency_mismatch", 422, "POST", path, {**MOMENTS, "count": 5}, key("m"))
        self.assertEqual(self.count(), 1)

    def test_a_key_belongs_to_its_layer(self):
        for layer in ("bn", "other"):
            self.put_layer(layer)
            self.train(BATCH, key("step-1"), layer)
        self.assertEqual((self.count("bn"), self.count("other")), (1, 1))
        self.call("DELETE", self.path("bn"), status=204)
        self.put_layer()
        self.train({"data": [[1], [2]]}, key("step-1"))
        self.assertEqual(self.count(), 1)

    def test_how_it_is_packed_and_what_is_asked_back_is_not_the_body(self):
        self.put_layer()
        first = self.train(BATCH, key("a"))
        for level in (1, 9):
            packed = gzip.compress(json.dumps(BATCH).encode(), level)
            self.assertEqual(self.train(packed, {**key("a"), "Content-Encoding": "gzip"}).raw, first.raw)
        self.assertEqual(self.train(BATCH, key("a"), query="?output=false").json,
                         {"num_batches_tracked": 1, "revision": 1})
        self.assertEqual(self.count(), 1)

    def test_what_was_refused_leaves_the_key_free(self):
        self.put_layer()
        self.train(BATCH, key("first"))
        path = self.path("bn", "train")
        self.refused("bad_json", 400, "POST", path, "{", key("k"))
        self.refused("too_few_values", 422, "POST", path, {"data": [[1, 2]]}, key("k"))
        self.refused("shape_mismatch", 422, "POST", path, {"data": [[1], [2]]}, key("k"))
        self.refused("body_too_large", 413, "POST", path, '{"shape":[100000,100000],"data":[]}', key("k"))
        self.assertEqual(self.train(BATCH, key("k")).json["num_batches_tracked"], 2)

    def test_keys_that_are_none(self):
        self.put_layer()
        path = self.path("bn", "train")
        for bad in ("", '""', '"a', 'tab\tx', '"a"b"', r'"a\x"', '"a\\"', "k" * 256, '"' + "k" * 256 + '"', "é"):
            self.refused("bad_parameter", 400, "POST", path, BATCH, key(bad))
        self.refused("bad_parameter", 400, "POST", path, BATCH,
                     args=("-H", "Idempotency-Key: a", "-H", "Idempotency-Key: a"))
        self.train(BATCH, key("k" * 255))
        self.assertEqual(self.count(), 1)

    def test_where_nothing_changes_a_key_says_nothing(self):
        self.put_layer()
        self.train(BATCH, {})
        for _ in range(2):
            self.call("POST", self.path("bn", "infer"), BATCH, key("k"))
        self.assertEqual(self.train({"shape": [0, 2], "data": []}, key("k")).json["num_batches_tracked"], 1)
        self.assertEqual(self.train(BATCH, key("k")).json["num_batches_tracked"], 2)

    def test_while_the_first_is_running_the_second_is_told_so(self):
        self.put_layer()
        body = json.dumps(BATCH).encode()
        head = (f"POST {self.path('bn', 'train')} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Length: "
                f"{len(body)}\r\n\r\n".encode())
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30 * PATIENCE) as first:
            first.sendall(head + body[:9])
            self.wait_until_in_flight()
            refused = self.refused("idempotency_in_flight", 409, "POST", self.path("bn", "train"), BATCH, key("k"))
            self.assertGreater(int(refused.headers["retry-after"]), 0)
            self.train(BATCH, key("another"))
            first.sendall(body[9:])
            self.assertTrue(first.recv(65536).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.train(BATCH, key("k")).json["num_batches_tracked"], 2)
        self.assertEqual(self.count(), 2)

    def probe(self):
        """The answer to a call with the key and a body that is always refused: it changes nothing."""
        return self.daemon.curl("POST", self.path("bn", "train"), "{", key("k")).code

    def wait_until_in_flight(self):
        """The head of the first request has arrived."""
        wait_for(lambda: self.probe() == "idempotency_in_flight", "it is in flight")

    def test_a_first_that_hangs_up_frees_the_key(self):
        self.put_layer()
        for stop in (b"", b'{"data"'):
            with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30 * PATIENCE) as first:
                first.sendall(f"POST {self.path('bn', 'train')} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
                              "Content-Length: 99\r\n\r\n".encode())
                first.sendall(stop)
                self.wait_until_in_flight()
            wait_for(lambda: self.probe() != "idempotency_in_flight", "it is in flight no more")
        self.assertEqual(self.train(BATCH, key("k")).json["num_batches_tracked"], 1)

    def test_a_crowd_with_one_key_makes_one_update(self):
        self.put_layer()

        def ask():
            client = Client(self.daemon.port)
            answers = []
            for i in range(20):
                answer = client.request("POST", self.path("bn", "train"), BATCH, key(f"k{i}"))
                while answer.status == 409:
                    answer = client.request("POST", self.path("bn", "train"), BATCH, key(f"k{i}"))
                answers.append((i, answer.status, answer.raw))
            client.close()
            return answers

        answers = [answer for told in at_once([ask] * 16) for answer in told]
        self.assertEqual({status for _, status, _ in answers}, {200})
        self.assertEqual(len(answers), 320)
        self.assertEqual(len({(i, raw) for i, _, raw in answers}), 20, "each key has one answer")
        self.assertEqual(self.count(), 20)


class Kept(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)
        self.daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})

    def train(self, body, text):
        return self.daemon.curl("POST", "/v1/models/m/layers/bn/train", body, key(text))

    def database(self, sql):
        """Runs SQL on the store's file while no daemon runs."""
        db = sqlite3.connect(self.daemon.store[len("sqlite:"):])
        with db:
            rows = db.execute(sql).fetchall()
        db.close()
        return rows

    def test_a_kill_and_a_restart_forget_no_key(self):
        first = [self.train(BATCH, f"k{i}").raw for i in range(5)]
        for end in (self.daemon.kill, self.daemon.stop):
            end()
            self.daemon.start()
            self.assertEqual([self.train(BATCH, f"k{i}").raw for i in range(5)], first)
            self.assertEqual(self.train({"data": [[1, 2], [3, 4]]}, "k3").code, "idempotency_mismatch")

    def test_a_key_is_forgotten_after_a_day(self):
        for name in ("old", "young"):
            self.train(BATCH, name)
        self.daemon.stop()
        self.database("UPDATE idempotency SET created_s = created_s - 86402 WHERE key = 'old'")
        self.database("UPDATE idempotency SET created_s = created_s - 86000 WHERE key = 'young'")
        self.daemon.start()
        self.assertEqual(self.train(BATCH, "old").json["num_batches_tracked"], 3)
        self.assertEqual(self.train(BATCH, "young").json["num_batches_tracked"], 2)
        self.daemon.stop()
        self.assertEqual(sorted(self.database("SELECT key FROM idempotency")), [("old",), ("young",)])

    def test_old_keys_go_also_when_nobody_calls(self):
        self.train(BATCH, "k")
        self.daemon.stop()
        self.database("INSERT INTO idempotency(layer_id, key, digest, revision, num_batches_tracked, created_s) "
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                      "SELECT 1, 'old-' || i, zeroblob(16), 1, 1, 1000 FROM n")
        self.database("DELETE FROM idempotency WHERE key = 'k'")
        self.daemon.start()

        def all_are_gone():
            time.sleep(0.2)
            self.daemon.stop()
            left, = self.database("SELECT count(*) FROM idempotency")[0]
            self.daemon.start()
            return left == 0

        wait_for(all_are_gone, "the old keys are gone", 60 * PATIENCE)


if __name__ == "__main__":
    unittest.main()
