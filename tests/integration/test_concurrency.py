# SPDX-License-Identifier: MIT
"""Many clients at once: nothing is lost, nothing is done twice,
and the statistics are those of all the data together."""

import http.client
import json
import math
import random
import unittest
from fractions import Fraction
from functools import partial

from normd import Client, Daemon, at_once


class Concurrency(unittest.TestCase):
    CLIENTS = 64

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--log-level", "warn", "--threads", "4")

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def test_64_clients_pool_one_layer_exactly(self):
        features, batches = 3, 12
        path = "/v1/models/m/layers/pooled"
        self.daemon.curl("PUT", path, {"kind": "batch_norm", "averaging": "pooled"})
        rng = random.Random(20260124)
        data = [[[[rng.gauss(1e3 * f, 10.0 ** f) for f in range(features)] for _ in range(rng.randint(2, 9))]
                 for _ in range(batches)] for _ in range(self.CLIENTS)]
        acknowledged = []

        def work(i):
            client = Client(self.daemon.port)
            for batch in data[i]:
                answer = client.request("POST", path + "/train?output=false", {"datatype": "FP64", "data": batch})
                assert answer.status == 200, answer
                acknowledged.append(answer.json["num_batches_tracked"])
            client.close()

        at_once([partial(work, i) for i in range(self.CLIENTS)])
        statistics = self.daemon.curl("GET", path + "/statistics").json
        self.assertEqual(sorted(acknowledged), list(range(1, self.CLIENTS * batches + 1)),
                         "each update has its own number")
        self.assertEqual(statistics["num_batches_tracked"], self.CLIENTS * batches)
        rows = [row for client in data for batch in client for row in batch]
        self.assertEqual(statistics["count"], len(rows))
        for f in range(features):
            column = [Fraction(row[f]) for row in rows]
            mean = sum(column) / len(column)
            var = sum((x - mean) ** 2 for x in column) / len(column)
            self.assertLessEqual(abs(statistics["running_mean"]["data"][f] - mean),
                                 1e-12 * max(abs(mean), Fraction(math.sqrt(var))))
            self.assertLessEqual(abs(statistics["running_var"]["data"][f] - var), 1e-12 * var)

    def test_64_clients_on_one_exponential_layer_count_exactly(self):
        path = "/v1/models/m/layers/exponential"
        self.daemon.curl("PUT", path, {"kind": "batch_norm", "num_features": 2})
        answered = []

        def work(i):
            client = Client(self.daemon.port)
            for k in range(20):
                # Every fifth request is wrong, and must leave no trace on the others of its batch.
                rows = [[1.0, 2.0, 3.0]] * 2 if (i + k) % 5 == 0 else [[float(i), 1.0], [float(k), 2.0]]
                answered.append(client.request("POST", path + "/train", {"data": rows}).status)
            client.close()

        at_once([partial(work, i) for i in range(self.CLIENTS)])
        self.assertEqual(set(answered), {200, 422})
        statistics = self.daemon.curl("GET", path + "/statistics").json
        self.assertEqual(statistics["num_batches_tracked"], answered.count(200))
        self.assertEqual(statistics["revision"], answered.count(200))

    def test_order_within_a_client_is_kept_and_its_own_writes_are_read(self):
        def work(i):
            client = Client(self.daemon.port)
            path = f"/v1/models/own/layers/l{i}"
            assert client.request("PUT", path, {"kind": "batch_norm", "momentum": 0.5}).status == 201
            mean = 0.0
            for k in range(15):
                assert client.request("POST", path + "/train", {"datatype": "FP64", "data": [[k], [k]]}).status == 200
                mean = 0.5 * mean + 0.5 * k
                read = client.request("GET", path + "/statistics").json
                assert read["running_mean"]["data"] == [mean] and read["num_batches_tracked"] == k + 1, read
            client.close()

        at_once([partial(work, i) for i in range(32)])

    def test_two_clients_fix_an_open_layer_and_only_one_wins(self):
        for attempt in range(20):
            path = f"/v1/models/race/layers/l{attempt}"
            self.daemon.curl("PUT", path, {"kind": "batch_norm"})
            statuses = {}

            def work(i):
                client = Client(self.daemon.port)
                width = 2 + i % 2
                statuses[i] = (width,
                               client.request("POST", path + "/train", {"data": [[1.0] * width, [2.0] * width]}).status)
                client.close()

            at_once([partial(work, i) for i in range(6)])
            won = {width for width, status in statuses.values() if status == 200}
            self.assertEqual(len(won), 1)
            self.assertEqual({status for width, status in statuses.values() if width not in won}, {422})
            definition = self.daemon.curl("GET", path).json
            self.assertEqual({definition["num_features"]}, won)
            statistics = self.daemon.curl("GET", path + "/statistics").json
            self.assertEqual(statistics["num_batches_tracked"], 3)

    def test_a_layer_created_by_many_at_once_is_created_once(self):
        statuses = []

        def work(i):
            client = Client(self.daemon.port)
            body = {"kind": "batch_norm", "num_features": 2 + i % 2}
            statuses.append((client.request("PUT", "/v1/models/once/layers/bn", body).status, i % 2))
            client.close()

        at_once([partial(work, i) for i in range(self.CLIENTS)])
        created = [which for status, which in statuses if status == 201]
        self.assertEqual(len(created), 1)
        self.assertEqual({status for status, which in statuses if which != created[0]}, {409})
        self.assertEqual({status for status, which in statuses if which == created[0]}, {200, 201})

    def test_if_match_lets_one_of_many_through(self):
        path = "/v1/models/m/layers/guarded"
        self.daemon.curl("PUT", path, {"kind": "batch_norm", "num_features": 1})
        statuses = []

        def work(i):
            client = Client(self.daemon.port)
            body = {"running_mean": [float(i)], "running_var": [1.0], "num_batches_tracked": i}
            statuses.append((i, client.request("PUT", path + "/statistics", body, {"If-Match": '"0"'}).status))
            client.close()

        at_once([partial(work, i) for i in range(self.CLIENTS)])
        winners = [i for i, status in statuses if status == 200]
        self.assertEqual(len(winners), 1)
        self.assertEqual(sorted({status for _, status in statuses}), [200, 412])
        statistics = self.daemon.curl("GET", path + "/statistics").json
        self.assertEqual((statistics["running_mean"]["data"], statistics["revision"]), ([float(winners[0])], 1))

    def test_deleting_while_others_train(self):
        path = "/v1/models/gone/layers/bn"
        seen = set()

        def work(i):
            client = Client(self.daemon.port)
            for k in range(40):
                if i % 8 == 0:
                    seen.add(client.request("DELETE", "/v1/models/gone" if k % 2 else path).status)
                elif i % 8 == 1:
                    seen.add(client.request("PUT", path, {"kind": "batch_norm"}).status)
                else:
                    seen.add(client.request("POST", path + "/train", {"data": [[1.0], [2.0]]}).status)
            client.close()

        at_once([partial(work, i) for i in range(32)])
        self.assertLessEqual(seen, {200, 201, 204, 404})
        self.assertEqual(self.daemon.curl("PUT", "/v1/models/gone/layers/new", {"kind": "batch_norm"}).status, 201)


class Vanishing(unittest.TestCase):
    def test_clients_that_hang_up_while_the_store_works(self):
        daemon = Daemon("--log-level", "warn")
        self.addCleanup(daemon.close)
        path = "/v1/models/m/layers/bn"
        daemon.curl("PUT", path, {"kind": "batch_norm"})
        body = json.dumps({"data": [[1.0], [2.0]]}).encode()

        def work(_):
            for _ in range(30):
                connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
                connection.request("POST", path + "/train", body)
                connection.sock.close()  # without waiting for the answer

        at_once([partial(work, i) for i in range(32)])
        answer = daemon.curl("POST", path + "/train", body)
        self.assertEqual(answer.status, 200)
        self.assertLessEqual(answer.json["num_batches_tracked"], 32 * 30 + 1)
        self.assertEqual(answer.json["num_batches_tracked"], answer.json["revision"])


if __name__ == "__main__":
    unittest.main()
