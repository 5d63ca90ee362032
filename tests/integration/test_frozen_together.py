# SPDX-License-Identifier: MIT
"""Freezing of whole models, while others train or create layers, and what is left of it after a kill."""

import itertools
import threading
import unittest

import numpy

from kinds import tensor
from normd import PATIENCE, Daemon, LateStore, wait_for
from test_frozen import KEY, RANDOM, FrozenTest
from test_sync import sync


class Models(FrozenTest):
    def freeze_model(self, frozen=True, **more):
        return self.ask("PUT", f"/v1/models/{self.model}/frozen", {"frozen": frozen}, **more)

    def listed(self):
        """(name, frozen, revision) of every layer."""
        layers, after = [], ""
        while after is not None:
            page = self.client.request("GET", f"/v1/models/{self.model}?limit=1000&after={after}").json
            layers += [(layer["name"], layer["frozen"], layer["revision"]) for layer in page["layers"]]
            after = page["next"]
        return layers

    def test_all_layers_in_one_change(self):
        self.put("a", {"kind": "batch_norm"})
        self.put("b", {"kind": "layer_norm", "normalized_shape": [2]})
        self.put("c", {"kind": "batch_norm"})
        self.freeze("c")
        self.ask("PUT", "/v1/models/other-of-frozen/layers/a", {"kind": "batch_norm"}, status=201)
        for frozen, revisions in ((True, (1, 1, 1)), (True, (1, 1, 1)), (False, (2, 2, 2))):
            answer = self.freeze_model(frozen)
            self.assertEqual(answer.json, {"frozen": frozen, "layers": 3})
            self.assertNotIn("etag", answer.headers)
            self.assertEqual(self.listed(), list(zip("abc", (frozen,) * 3, revisions)))
            for layer in "abc":
                self.assertEqual(self.ask("GET", self.path(layer, "frozen")).json["frozen"], frozen)
        self.assertFalse(self.ask("GET", "/v1/models/other-of-frozen/layers/a").json["frozen"])
        self.put("late", {"kind": "batch_norm"})
        self.freeze_model(headers={"If-Match": '"7"'})
        self.assertEqual([frozen for _, frozen, _ in self.listed()], [True] * 4)
        self.refused("frozen", 409, "a", "statistics/merge", {"count": 2, "mean": [1], "var": [1]})

    def test_a_model_without_layers_and_a_deleted_one(self):
        self.put("a", {"kind": "batch_norm"})
        self.ask("DELETE", self.path("a"), status=204)
        self.assertEqual(self.freeze_model().json, {"frozen": True, "layers": 0})
        self.ask("DELETE", f"/v1/models/{self.model}", status=204)
        self.assertEqual(self.freeze_model(status=404).code, "no_such_model")

    def test_two_thousand_layers(self):
        count = 2000
        for i in range(count):
            self.client.request("PUT", self.path(f"l{i}"), '{"kind":"batch_norm","num_features":1}')
        self.assertEqual(self.freeze_model().json, {"frozen": True, "layers": count})
        layers = self.listed()
        self.assertEqual((len(layers), {layer[1:] for layer in layers}), (count, {(True, 1)}))
        self.assertEqual(self.freeze_model(False).json["layers"], count)
        self.assertEqual({layer[1:] for layer in self.listed()}, {(False, 2)})

    def test_while_layers_are_created(self):
        """Layers made before it are frozen, layers made after it are not; its answer counts those that are."""
        created, stop = [], threading.Event()

        def create(worker):
            client = self.daemon.client()
            for i in range(1000):
                if stop.is_set():
                    break
                name = f"{worker}-{i}"
                client.request("PUT", self.path(name), '{"kind":"batch_norm","num_features":1}')
                created.append(name)
            client.close()

        workers = [threading.Thread(target=create, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        wait_for(lambda: len(created) > 40, "some layers are there")
        before = set(created)
        told = self.freeze_model().json
        at_answer = len(created)
        wait_for(lambda: len(created) > at_answer + 40, "more layers are there")
        after = set(created[at_answer + 4:])  # each worker may have been about to note one that was made before
        stop.set()
        for worker in workers:
            worker.join()
        frozen = {name for name, is_frozen, _ in self.listed() if is_frozen}
        self.assertEqual(told["layers"], len(frozen))
        self.assertLessEqual(before, frozen)
        self.assertFalse(after & frozen)

    def test_readers_see_all_or_none(self):
        for i in range(50):
            self.put(f"l{i}", {"kind": "batch_norm", "num_features": 1})
        seen, stop = set(), threading.Event()

        def toggle():
            client, frozen = self.daemon.client(), True
            while not stop.is_set():
                client.request("PUT", f"/v1/models/{self.model}/frozen", {"frozen": frozen})
                frozen = not frozen
            client.close()

        thread = threading.Thread(target=toggle)
        thread.start()
        for _ in range(200):
            states = {layer[1:] for layer in self.listed()}
            self.assertEqual(len(states), 1)
            seen |= states
        stop.set()
        thread.join()
        self.assertGreater(len(seen), 2)


class Crowd(FrozenTest):
    CLIENTS, ROUNDS = 8, 12

    def train_under(self, client, x, key):
        return client.request("POST", self.path("bn", "train"), tensor(x), {"Idempotency-Key": key} if key else None)

    def test_others_train_while_it_is_frozen_and_thawed(self):
        """
        Each answer is of an update, which counts once and not after the freeze was answered, or of a frozen state, by
        whose statistics it is normalized; or it is refused as frozen. Sent again under its key to the frozen layer, a
        batch that made an update gets its answer again, and any other is normalized by the statistics.
        """
        self.put("bn", {"kind": "batch_norm", "num_features": 3, "averaging": "pooled"})
        self.train("bn", RANDOM.standard_normal((4, 3)))
        answers, stop, frozen_at = [], threading.Event(), {}

        def train(seed):
            client, random = self.daemon.client(), numpy.random.default_rng(seed)
            for i in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
                x, key = random.standard_normal((4, 3)) + 3, f"{seed}-{i}" if seed % 2 else None
                answers.append((x, key, self.train_under(client, x, key)))
            client.close()

        threads = [threading.Thread(target=train, args=(i,)) for i in range(self.CLIENTS)]
        for thread in threads:
            thread.start()
        for _ in range(self.ROUNDS):
            before = len(answers)
            wait_for(lambda: len(answers) > before + self.CLIENTS, "some train")
            revision = self.freeze().json["revision"]
            before = len(answers)
            frozen_at[revision] = self.ask("GET", self.path("bn", "statistics")).json
            wait_for(lambda: len(answers) > before + 3 * self.CLIENTS, "all have trained since")
            self.assertEqual(self.ask("GET", self.path("bn", "statistics")).json, frozen_at[revision])
            self.assertEqual(frozen_at[revision]["revision"], revision)
            self.freeze(frozen=False)
        stop.set()
        for thread in threads:
            thread.join()
        revision = self.freeze().json["revision"]
        updates, by_running = [1], 0
        for x, key, answer in answers:
            told = answer.json
            is_update = answer.status == 200 and told["revision"] not in frozen_at
            if key:
                again = self.train_under(self.client, x, key).json
                self.assertTrue(again == told if is_update else again["revision"] == revision, again)
            if answer.status == 409:
                self.assertEqual(answer.code, "frozen")
                continue
            state = frozen_at.get(told["revision"])
            if state is None:
                updates.append(told["num_batches_tracked"])
                expected = (x - x.mean(0)) / numpy.sqrt(x.var(0) + 1e-5)
            else:
                by_running += 1
                self.assertEqual(told["num_batches_tracked"], state["num_batches_tracked"])
                mean, var = (numpy.array(state[name]["data"]) for name in ("running_mean", "running_var"))
                expected = (x - mean) / numpy.sqrt(var + 1e-5)
            self.assertNear(numpy.reshape(told["data"], x.shape), expected, 1e-9)
        self.assertEqual(sorted(updates), list(range(1, self.counts()[0] + 1)))
        self.assertGreater(by_running, self.ROUNDS * self.CLIENTS)


class Overtaken(unittest.TestCase):
    """What was decided before the freeze and is stored after it."""

    def setUp(self):
        self.daemon = LateStore("--threads", "4")
        self.addCleanup(self.daemon.close)
        self.layer = "/v1/models/m/layers/bn"
        self.curl("PUT", self.layer, {"kind": "batch_norm", "num_features": 2})
        self.curl("PUT", self.layer + "/statistics", {"running_mean": [1, 2], "running_var": [3, 4]})

    def curl(self, method, path, body=None, headers=None):
        answer = self.daemon.curl(method, path, body, headers)
        self.assertLess(answer.status, 300, answer)
        return answer.json

    def overtake(self, call, body, by, headers=None):
        """The answer to a call whose update is asked for before the calls `by` and stored after them."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.daemon.curl("POST", f"{self.layer}/{call}", body, headers)))
        thread.start()
        self.daemon.wait_until_asked("the update is on its way")
        for path in by:
            self.curl("PUT", path[0], {"frozen": path[1]})
        before = self.curl("GET", self.layer + "/statistics")
        self.daemon.go()
        thread.join()
        return answers[0], before

    def assert_overtaken(self, answer, before):
        self.assertEqual((answer.status, answer.code), (409, "frozen"))
        self.assertIn("repeat", answer.json["detail"])
        self.assertEqual(self.curl("GET", self.layer + "/statistics"), before)

    def test_a_batch(self):
        body = {"data": [[1, 2], [3, 5]]}
        self.assert_overtaken(*self.overtake("train", body, [(self.layer + "/frozen", True)], KEY))
        told = self.daemon.curl("POST", self.layer + "/train", body, KEY)
        self.assertEqual(told.json["data"], self.curl("POST", self.layer + "/infer", body)["data"])
        self.curl("PUT", self.layer + "/frozen", {"frozen": False})
        self.assertEqual(self.daemon.curl("POST", self.layer + "/train", body, KEY).json["num_batches_tracked"], 1)

    def test_a_batch_of_a_model_that_is_frozen(self):
        self.assert_overtaken(*self.overtake("train?output=false", {"data": [[1, 2], [3, 5]]},
                                             [("/v1/models/m/frozen", True)]))

    def test_moments(self):
        self.assert_overtaken(*self.overtake("statistics/merge", {"count": 2, "mean": [0, 0], "var": [1, 1]},
                                             [(self.layer + "/frozen", True)]))

    def test_a_batch_by_running_statistics(self):
        self.layer = "/v1/models/m/layers/running"
        self.curl("PUT", self.layer, {"kind": "batch_norm", "num_features": 2, "normalize_by": "running",
                                      "averaging": "pooled"})
        self.assert_overtaken(*self.overtake("train", {"data": [[1, 2]]}, [(self.layer + "/frozen", True)]))

    def test_frozen_and_thawed_meanwhile(self):
        answer, before = self.overtake("train", {"data": [[1, 2], [3, 5]]},
                                       [(self.layer + "/frozen", True), (self.layer + "/frozen", False)])
        self.assertEqual((answer.status, answer.json["num_batches_tracked"], answer.json["revision"]),
                         (200, 1, before["revision"] + 1))

    def test_all_ranks_of_a_step(self):
        shard = lambda rank: {"data": [[rank, 2], [3, 5]], **sync(rank, 2, timeout_ms=int(60000 * PATIENCE))}
        other = []
        thread = threading.Thread(target=lambda: other.append(
            self.daemon.curl("POST", self.layer + "/train", shard(0))))
        thread.start()
        leads, before = self.overtake("train", shard(1), [(self.layer + "/frozen", True)])
        thread.join()
        self.assert_overtaken(leads, before)
        self.assert_overtaken(other[0], before)


class Kept(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)

    def put(self, path, body):
        answer = self.daemon.curl("PUT", path, body)
        self.assertLess(answer.status, 300, answer)
        return answer

    def test_a_restart_and_a_kill(self):
        base = "/v1/models/m/layers/"
        for layer in ("iced", "thawed", "plain"):
            self.put(base + layer, {"kind": "batch_norm"})
            self.daemon.curl("POST", base + layer + "/train", {"data": [[1], [3]]})
            self.put(base + layer + "/frozen", {"frozen": layer != "plain"})
        self.put(base + "thawed/frozen", {"frozen": False})
        self.put("/v1/models/n/layers/a", {"kind": "batch_norm"})
        self.put("/v1/models/n/layers/b", {"kind": "batch_norm"})
        self.put("/v1/models/n/frozen", {"frozen": True})
        paths = [base + layer for layer in ("iced", "thawed", "plain")] + ["/v1/models/m", "/v1/models/n"]
        read = lambda: [(a.body, a.headers.get("etag")) for a in (self.daemon.curl("GET", path) for path in paths)]
        before = read()
        for end in (self.daemon.stop, self.daemon.kill, self.daemon.stop):
            end()
            self.daemon.start()
            self.assertEqual(read(), before)
            answer = self.daemon.curl("DELETE", base + "iced/statistics")
            self.assertEqual((answer.status, answer.code), (409, "frozen"))

    def test_kills_while_a_model_is_frozen_and_thawed(self):
        """What is found is the state of the last change that was answered, or of the next, for all layers."""
        for i in range(20):
            self.put(f"/v1/models/m/layers/l{i}", {"kind": "batch_norm", "num_features": 3})
        revision = 0
        for _ in range(4):
            told, client = [revision], self.daemon.client()

            def toggle():
                try:
                    while client.request("PUT", "/v1/models/m/frozen", {"frozen": told[-1] % 2 == 0}).status == 200:
                        told.append(told[-1] + 1)
                except OSError:
                    pass
                except Exception as e:  # http.client's, where the answer was cut
                    self.assertIn("http.client", type(e).__module__)

            thread = threading.Thread(target=toggle)
            thread.start()
            wait_for(lambda: len(told) > 20, "some changes are answered")
            self.daemon.kill()
            thread.join()
            self.daemon.start()
            layers = self.daemon.curl("GET", "/v1/models/m").json["layers"]
            states = {(layer["frozen"], layer["revision"]) for layer in layers}
            self.assertEqual(len(states), 1)
            (frozen, revision), = states
            self.assertIn(revision, (told[-1], told[-1] + 1))
            self.assertEqual(frozen, revision % 2 == 1)


if __name__ == "__main__":
    unittest.main()
