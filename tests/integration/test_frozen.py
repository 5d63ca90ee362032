# SPDX-License-Identifier: MIT
"""
Frozen layers: nothing moves their statistics, and train normalizes by them. In every form, beside keys and sources, and
in synchronized steps.
"""

import unittest

import numpy

import npy
from kinds import KINDS, TRACKING, KindTest, tensor
from normd import at_once, wait_for
from test_sync import SyncTest, sync

RANDOM = numpy.random.default_rng(23)
KEY = {"Idempotency-Key": "k"}


class FrozenTest(KindTest):
    def put_trained(self, layer="bn", x=None, **definition):
        """A layer of four features with parameters and a batch, before it is frozen."""
        self.put(layer, {"kind": "batch_norm", **definition})
        self.train(layer, RANDOM.standard_normal((8, 4, 3)) * 3 + 5 if x is None else x)
        self.ask("PUT", self.path(layer, "parameters"), {"weight": [1.5, -2, 0.25, 1], "bias": [0, 1, -1, 7]})

    def counts(self, layer="bn"):
        told = self.ask("GET", self.path(layer, "statistics")).json
        return told["num_batches_tracked"], told["revision"]

    def assert_inferred(self, layer, trained, inferred):
        """A frozen layer's answer to train has the bits of inference, and the counts of the state as it is."""
        told = trained.json
        counts = {name: told.pop(name) for name in ("num_batches_tracked", "revision")}
        told.pop("seed", None)
        self.assertEqual(told, inferred.json)
        self.assertEqual(tuple(counts.values()), self.counts(layer))
        self.assertEqual(trained.headers["etag"], inferred.headers["etag"])


class Train(FrozenTest):
    def test_every_layer_that_keeps_statistics(self):
        definitions = {
            "exponential": {},
            "pooled": {"averaging": "pooled"},
            "decayed": {"averaging": "decayed", "half_life": 10},
            "cumulative": {"momentum": None},
            "running": {"averaging": "pooled", "normalize_by": "running", "min_std": 0.1},
            "rewards": {"averaging": "pooled", "normalize_by": "running", "with_mean": False},
            "ghosts": {"virtual_batch_size": 2},
            "shuffled": {"virtual_batch_size": 2, "shuffle": True},
            "renorm": {"renorm": {"r_max": 3, "d_max": 5}},
            "clipped": {"clip": 0.5},
            "instances": {"kind": "instance_norm", "affine": True, "track_running_stats": True},
        }
        bodies = {
            "plain": {"data": (RANDOM.standard_normal((5, 4, 6)) * 4).tolist()},
            "one value a channel": {"data": [[[3]] * 4]},
            "lengths": {"data": RANDOM.standard_normal((3, 4, 6)).tolist(), "lengths": [6, 1, 0]},
            "mask": {"data": RANDOM.standard_normal((2, 4, 2)).tolist(), "mask": [[True, False], [False, True]]},
            "16 bits": {**tensor(RANDOM.standard_normal((3, 4, 2)).astype("<f2"), "FP16")},
            "none": {"shape": [0, 4, 2], "data": []},
        }
        for name, definition in definitions.items():
            self.put_trained(name, **definition)
            self.freeze(name)
            before = self.state(name)
            for what, body in bodies.items():
                with self.subTest(f"{name}, {what}"):
                    inferred = self.ask("POST", self.path(name, "infer"), body)
                    for headers in (None, {"Idempotency-Key": what}):
                        trained = self.ask("POST", self.path(name, "train"), body, headers)
                        self.assert_inferred(name, trained, inferred)
                        self.assertEqual("seed" in trained.json, name == "shuffled")
                    told = self.ask("POST", self.path(name, "train") + "?output=false", body)
                    self.assertEqual((told.json["num_batches_tracked"], told.json["revision"]), self.counts(name))
                    self.assertNotIn("data", told.json)
            self.assertEqual(self.state(name), before)

    def test_npy(self):
        self.put_trained()
        self.freeze()
        before = self.state("bn")
        for datatype in ("<f2", "<f4", "<f8", ">f4"):
            x = (RANDOM.standard_normal((5, 4, 6)) * 3).astype(datatype)
            inferred = self.post_npy(self.path("bn", "infer"), x)
            trained = self.post_npy(self.path("bn", "train"), x)
            self.assertEqual(trained.raw, inferred.raw)
            self.assertEqual(trained.headers["normd-num-batches-tracked"], "1")
            self.assertEqual(trained.headers["etag"], inferred.headers["etag"])
        padded = self.path("bn", "train?lengths=6,0,1,2,3")
        x[1], x[2, :, 1:] = numpy.nan, numpy.inf
        self.assertEqual(self.post_npy(padded, x).raw, self.post_npy(padded.replace("train", "infer"), x).raw)
        answer = self.client.request("POST", self.path("bn", "train?output=false"), npy.save(numpy.zeros((2, 4, 6))),
                                     {"Content-Type": npy.TYPE})
        self.assertEqual((answer.status, answer.headers["normd-num-batches-tracked"]), (204, "1"))
        self.assertEqual(self.state("bn"), before)

    def test_output_false_normalizes_nothing(self):
        """What an answer would be refused for does not matter then; that a batch holds NaN or infinity does."""
        for by in ("batch", "running"):
            layer, query = f"by-{by}", "train?output=false"
            self.put(layer, {"kind": "batch_norm", "averaging": "pooled", "normalize_by": by, "eps": 0})
            self.ask("POST", self.path(layer, "train") + "?output=false", {"data": [[1, 2]]})
            self.freeze(layer)
            before = self.state(layer)
            # Divided by a deviation of 0; the variance of the second one overflows.
            for x in (numpy.array([[1.0, 5.0]]), numpy.array([[1e300, 1.0], [-1e300, 2.0]])):
                with self.subTest(by, x=x.tolist()):
                    body = tensor(x)
                    self.refused("non_finite_input", 422, layer, "train", body)
                    self.assertEqual(self.ask("POST", self.path(layer, "train") + "?output=false", body).json,
                                     {"num_batches_tracked": 1, "revision": 2})
            for bad in (numpy.nan, numpy.inf):
                raw = npy.save(numpy.array([[1, 2], [bad, 4]]))
                for mask, status in (("", 422), ("&mask=1,0", 204)):
                    with self.subTest(by, bad=bad, mask=mask):
                        answer = self.client.request("POST", self.path(layer, query + mask), raw,
                                                     {"Content-Type": npy.TYPE})
                        self.assertEqual(answer.status, status, answer)
            self.assertEqual(self.state(layer), before)

    def test_layers_that_keep_none_train_as_always(self):
        for kind, (definition, shape) in {**KINDS, "untracked": ({"kind": "batch_norm", "track_running_stats": False},
                                                                 (5, 6, 4))}.items():
            if kind in TRACKING:
                continue
            with self.subTest(kind):
                x = RANDOM.standard_normal(shape)
                self.put(kind, definition)
                expected = self.train(kind, x).json
                revision = self.freeze(kind).json["revision"]
                self.assertEqual(self.train(kind, x).json, {**expected, "revision": revision})

    def test_never_trained(self):
        self.put("bn", {"kind": "batch_norm"})
        self.freeze()
        for query, headers in (("", None), ("", KEY), ("?output=false", None)):
            answer = self.ask("POST", self.path("bn", "train") + query, {"data": [[1, 2], [3, 5]]}, headers, 409)
            self.assertEqual(answer.code, "not_trained")
            self.assertIn('thaw it by PUT .../frozen {"frozen":false}, then train it', answer.json["detail"])
        one = {"input": {"data": [[1, 2]]}, "grad_output": {"data": [[1, 2]]}}
        self.refused("not_trained", 409, "bn", "backward", one)
        self.train("bn", numpy.zeros((0, 2)), shape=[0, 2])
        self.assertIsNone(self.ask("GET", self.path()).json["num_features"])

    def test_what_inference_refuses(self):
        self.put_trained(x=RANDOM.standard_normal((8, 4)))
        self.freeze()
        for code, status, body in (("shape_mismatch", 422, {"data": [[1, 2, 3]]}),
                                   ("too_few_values", 422, {"data": [[1, 2, 3, 4]], "mask": [False]}),
                                   ("bad_parameter", 400, {"data": [[1, 2, 3, 4]], "seed": 1}),
                                   ("non_finite_input", 422, {"data": [[60000, 2, 3, 60000]], "datatype": "FP16"})):
            with self.subTest(code):
                self.refused(code, status, "bn", "train", body)
        x = numpy.array([[1, numpy.nan, 2, 3]])
        answer = self.client.request("POST", self.path("bn", "train"), npy.save(x), {"Content-Type": npy.TYPE})
        self.assertEqual((answer.status, answer.code), (422, "non_finite_input"))

    def test_thawed_it_goes_on_as_if_nothing_had_been(self):
        batches = [RANDOM.standard_normal((6, 3)) for _ in range(6)]
        for layer in ("iced", "plain"):
            self.put(layer, {"kind": "batch_norm", "averaging": "pooled"})
        for i, x in enumerate(batches):
            self.train("plain", x)
            if i % 2:
                self.freeze("iced")
                self.train("iced", x + 1)
                self.freeze("iced", False)
            self.train("iced", x)
        iced, plain = (self.ask("GET", self.path(layer, "statistics")).json for layer in ("iced", "plain"))
        self.assertEqual(iced.pop("revision"), plain.pop("revision") + 6)
        self.assertEqual(iced, plain)

    def test_backward_is_that_of_inference(self):
        definitions = {"bn": {}, "shuffled": {"shuffle": True, "virtual_batch_size": 2}, "clipped": {"clip": 1},
                       "instances": {"kind": "instance_norm", "affine": True, "track_running_stats": True}}
        for name, definition in definitions.items():
            with self.subTest(name):
                self.put_trained(name, **definition)
                self.freeze(name)
                for n in (1, 5):
                    body = {"input": tensor(RANDOM.standard_normal((n, 4, 3))),
                            "grad_output": tensor(RANDOM.standard_normal((n, 4, 3)))}
                    train, infer = (self.ask("POST", self.path(name, f"backward?mode={mode}"), body)
                                    for mode in ("train", "infer"))
                    self.assertEqual((train.raw, train.headers["etag"]), (infer.raw, infer.headers["etag"]))


class State(FrozenTest):
    def test_it_is_set_shown_and_counted(self):
        self.put_trained()
        frozen, revision = False, 2
        for wanted in (True, True, False, False, True):
            revision += wanted != frozen
            frozen = wanted
            answer = self.freeze(frozen=wanted)
            self.assertEqual(answer.json, {"frozen": wanted, "revision": revision})
            self.assertEqual((answer.headers["etag"], answer.headers["normd-revision"]),
                             (f'"{revision}"', str(revision)))
            self.assertEqual(self.ask("GET", self.path("bn", "frozen")).json, answer.json)
            shown = self.ask("GET", self.path())
            self.assertEqual((shown.json["frozen"], shown.headers["etag"]), (wanted, f'"{revision}"'))
            self.assertEqual(self.ask("PUT", self.path(), {"kind": "batch_norm"}).json, shown.json)
            (listed,) = self.ask("GET", f"/v1/models/{self.model}").json["layers"]
            self.assertEqual((listed["frozen"], listed["revision"]), (wanted, revision))

    def test_what_get_shows_can_be_put(self):
        self.put_trained()
        self.freeze()
        shown = self.ask("GET", self.path("bn", "frozen"))
        self.assertEqual(self.ask("PUT", self.path("bn", "frozen"), shown.json).raw, shown.raw)
        layer = self.ask("GET", self.path())
        self.assertEqual(self.ask("PUT", self.path(), layer.json).raw, layer.raw)
        # A layer made out of what another one shows is not frozen, and neither thaws the other.
        copy = self.ask("PUT", self.path("copy"), layer.json, status=201).json
        self.assertEqual(copy, {**layer.json, "frozen": False})
        self.ask("PUT", self.path(), copy)
        self.assertEqual(self.ask("GET", self.path()).raw, layer.raw)
        for body in ({**layer.json, "data": [[1, 2, 3, 4], [2, 3, 4, 5]]},
                     {"definition": layer.json, "tensor": {"data": [[1, 2, 3, 4], [2, 3, 4, 5]]}}):
            self.ask("POST", "/v1/normalize", body)

    def test_if_match(self):
        self.put_trained()
        before = self.state("bn")
        answer = self.freeze(headers={"If-Match": '"1"'}, status=412)
        self.assertEqual(answer.code, "revision_mismatch")
        self.assertEqual(self.state("bn"), before)
        for match in ('"1", "2"', '"3"', "*"):
            self.assertEqual(self.freeze(headers={"If-Match": match}).json["revision"], 3)

    def test_what_moves_statistics_is_refused(self):
        self.put_trained(averaging="pooled")
        totals = {"count": 2, "mean": [0] * 4, "var": [1] * 4}
        for source in ("w1", "w2"):
            self.ask("PUT", self.path("bn", "statistics/sources", source), totals)
        self.freeze()
        statistics = self.ask("GET", self.path("bn", "statistics")).json
        before = self.sources(), self.state("bn")
        calls = [("POST", "statistics/merge", totals), ("PUT", "statistics/sources/w1", totals),
                 ("PUT", "statistics/sources/new", totals), ("POST", "statistics/sources/compact", {"sources": ["w2"]}),
                 ("DELETE", "statistics/sources/w1", None), ("PUT", "statistics", statistics),
                 ("POST", "statistics/merge", {"count": 0, "mean": [0] * 4, "var": [1] * 4}),
                 ("POST", "statistics/sources/compact", {"sources": []}), ("DELETE", "statistics", None)]
        for method, call, body in calls:
            for headers in (None, {"If-Match": "*"}, KEY):
                with self.subTest(f"{method} {call}", headers=headers):
                    answer = self.ask(method, self.path("bn", call), body, headers, 409)
                    self.assertEqual((answer.code, answer.json["title"]), ("frozen", "The layer is frozen"))
                    self.assertIn('"bn" is frozen', answer.json["detail"])
                    self.assertIn('{"frozen":false}', answer.json["detail"])
                    self.assertEqual((self.sources(), self.state("bn")), before)
            # What is wrong with the request itself is said first, and so is a revision that is not the layer's.
            if method == "PUT":
                self.assertEqual(self.ask(method, self.path("bn", call), {}, None, 400).code, "bad_parameter")
            if method != "POST":
                answer = self.ask(method, self.path("bn", call), body, {"If-Match": '"1"'}, 412)
                self.assertEqual(answer.code, "revision_mismatch")
        self.freeze(frozen=False)
        for method, call, body in calls:
            answer = self.client.request(method, self.path("bn", call), body)
            self.assertIn(answer.status, (200, 204), answer)

    def sources(self):
        return self.ask("GET", self.path("bn", "statistics/sources")).raw

    def test_a_batch_of_a_source_is_normalized_and_adds_nothing(self):
        self.put_trained(averaging="pooled")
        x = RANDOM.standard_normal((6, 4, 3))
        self.train("bn", x, "?source=w1")
        first = self.train("bn", x, "?source=w1", KEY)
        self.freeze()
        before = self.sources(), self.state("bn")
        inferred = self.ask("POST", self.path("bn", "infer"), tensor(x))
        for source in ("w1", "new"):
            self.assert_inferred("bn", self.ask("POST", self.path("bn", f"train?source={source}"), tensor(x)), inferred)
            self.train("bn", x, f"?source={source}&output=false")
        self.assertEqual(self.train("bn", x, "?source=w1", KEY).json, first.json)
        self.assertEqual((self.sources(), self.state("bn")), before)

    def test_what_does_not_move_them_goes_on(self):
        self.put_trained()
        self.freeze()
        counts = self.counts()
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1, 2, 3, 4]})
        self.assertEqual(self.counts(), (counts[0], counts[1] + 1))
        self.ask("GET", self.path("bn", "affine"))
        self.ask("DELETE", self.path(), status=204)
        self.assertFalse(self.put("bn", {"kind": "batch_norm"})["frozen"], "a new layer of the name is another layer")
        self.ask("PUT", f"/v1/models/{self.model}/frozen", {"frozen": True})
        self.ask("DELETE", f"/v1/models/{self.model}", status=204)

    BAD = ('{"frozen":1}', '{"frozen":"yes"}', '{"frozen":"true"}', '{"frozen":null}', "{}", '{"frozen":[true]}',
           "true", "[]", '{"data":[true]}')

    def test_bad_bodies_change_nothing(self):
        self.put_trained()
        for frozen in (False, True):
            self.freeze(frozen=frozen)
            before = self.state("bn")
            for path in (self.path("bn", "frozen"), f"/v1/models/{self.model}/frozen"):
                for body in self.BAD:
                    with self.subTest(path, body=body):
                        answer = self.ask("PUT", path, body, status=400)
                        self.assertEqual(answer.code, "bad_parameter")
                answer = self.ask("PUT", path, {"frozn": True}, status=400)
                self.assertIn('did you mean "frozen"?', answer.json["detail"])
                for body in ("", '{"frozen":tru}', '{"frozen":true} 1', '{"frozen":true,"frozen":true}'):
                    self.assertEqual(self.ask("PUT", path, body, status=400).code, "bad_json")
                self.ask("PUT", path + "?frozen=true", {"frozen": True}, status=400)
                self.ask("POST", path, {"frozen": True}, status=405)
            self.assertEqual(self.state("bn"), before)
        self.assertIn("must be true or false", self.ask("PUT", self.path("new"), {"kind": "batch_norm", "frozen": 1},
                                                        status=400).json["detail"])

    def test_no_such_layer_and_no_such_model(self):
        self.put_trained()
        self.assertEqual(self.freeze("other", status=404).code, "no_such_layer")
        for path in ("/v1/models/no/frozen", "/v1/models/no/layers/bn/frozen"):
            self.assertEqual(self.ask("PUT", path, {"frozen": True}, status=404).code, "no_such_model")
        self.assertEqual(self.ask("GET", self.path("other", "frozen"), status=404).code, "no_such_layer")


class Keys(FrozenTest):
    def test_a_repeat_gets_the_answer_of_the_first(self):
        """Also one that renormalizes or shuffles, in every form of answer."""
        for name, definition in {"bn": {}, "instances": {"kind": "instance_norm", "affine": True,
                                                         "track_running_stats": True},
                                 "shuffled": {"shuffle": True, "virtual_batch_size": 2}}.items():
            with self.subTest(name):
                self.put_trained(name, **definition)
                x = RANDOM.standard_normal((6, 4, 3))
                first = self.train(name, x, headers=KEY)
                self.freeze(name)
                before = self.state(name)
                self.assertEqual(self.train(name, x, headers=KEY).json, first.json)
                told = self.train(name, x, "?output=false", KEY).json
                for count in ("num_batches_tracked", "revision"):
                    self.assertEqual(told[count], first.json[count])
                answer = self.ask("POST", self.path(name, "train"), tensor(x + 1), KEY, 422)
                self.assertEqual(answer.code, "idempotency_mismatch")
                self.assertEqual(self.state(name), before)
                self.freeze(name, False)
                self.assertEqual(self.train(name, x, headers=KEY).json, first.json)

    def test_a_repeat_on_a_layer_of_running_statistics(self):
        self.put_trained(averaging="pooled", normalize_by="running")
        x = RANDOM.standard_normal((6, 4, 3))
        first = self.train("bn", x, headers=KEY).json
        self.train("bn", x + 7)
        revision = self.freeze().json["revision"]
        told = self.train("bn", x, headers=KEY).json
        self.assertNotEqual(told["data"], first["data"])
        self.assertEqual(told["data"], self.infer("bn", x).tolist())
        self.assertEqual((told["num_batches_tracked"], told["revision"]), (3, revision))
        silent = self.train("bn", x, "?output=false", KEY).json
        self.assertEqual(silent, {name: first[name] for name in ("num_batches_tracked", "revision")})

    def test_a_repeat_without_output_needs_no_statistics(self):
        """Those that the first call led to may be gone."""
        self.put_trained(averaging="pooled", normalize_by="running")
        x = RANDOM.standard_normal((6, 4, 3))
        first = self.train("bn", x, "?output=false", KEY).json
        self.ask("DELETE", self.path("bn", "statistics"))
        self.freeze()
        self.assertEqual(self.train("bn", x, "?output=false", KEY).json, first)
        self.assertEqual(self.ask("POST", self.path("bn", "train"), {"datatype": "FP64", "data": x.tolist()}, KEY,
                                  409).code, "not_trained")

    def test_a_merge_is_repeated(self):
        self.put_trained()
        body = {"count": 2, "mean": [0] * 4, "var": [1] * 4}
        first = self.ask("POST", self.path("bn", "statistics/merge"), body, KEY)
        self.freeze()
        self.assertEqual(self.ask("POST", self.path("bn", "statistics/merge"), body, KEY).json, first.json)

    def test_a_key_that_met_a_frozen_layer_first_is_unused(self):
        self.put_trained()
        self.freeze()
        x = RANDOM.standard_normal((6, 4, 3))
        for body in (x, x + 1):
            self.assertEqual(self.train("bn", body, headers=KEY).json["num_batches_tracked"], 1)
        self.freeze(frozen=False)
        for _ in range(2):
            self.assertEqual(self.train("bn", x, headers=KEY).json["num_batches_tracked"], 2)


class Synchronized(SyncTest):
    def put_trained(self, **definition):
        self.put("bn", {"kind": "batch_norm", "num_features": 4, **definition})
        self.train("bn", RANDOM.standard_normal((8, 4)) * 3 + 5)

    def shard(self, rank, step="1", world_size=2, **more):
        x = numpy.arange(12.0).reshape(3, 4) * (rank + 1)
        return {**tensor(x), **sync(rank, world_size, step, **more)}

    def test_no_rank_waits(self):
        self.put_trained()
        self.freeze()
        before = self.state("bn")
        for step in ("1", "1", "2"):
            body = self.shard(0, step, 2, timeout_ms=1)
            told = self.ask("POST", self.path("bn", "train"), body).json
            body.pop("sync")
            self.assertEqual(told["data"], self.ask("POST", self.path("bn", "infer"), body).json["data"])
            gradients = {"input": body, "grad_output": body}
            told = self.ask("POST", self.path("bn", "backward"), {**gradients, **sync(1, 2, step, timeout_ms=1)})
            self.assertEqual(told.raw, self.ask("POST", self.path("bn", "backward?mode=infer"), gradients).raw)
        for bad in ({"step": "1"}, {"step": "1", "rank": 2, "world_size": 2}):
            self.refused("bad_parameter", 400, "bn", "train", {"data": [[1, 2, 3, 4]], "sync": bad})
        self.assertEqual(self.state("bn"), before)

    def test_a_step_that_had_begun_is_refused_to_all_its_ranks(self):
        self.put_trained()
        self.step_that_had_begun()

    def test_a_step_that_had_begun_by_running_statistics(self):
        self.put_trained(averaging="pooled", normalize_by="running")
        self.step_that_had_begun()

    def step_that_had_begun(self):
        waiting = [self.steps_that_wait("bn", self.shard(rank, world_size=3)) for rank in range(2)]
        self.freeze()
        before = self.state("bn")
        answers = [self.send("bn", "train", self.shard(2, world_size=3))] + [wait() for wait in waiting]
        self.assertEqual([(a.status, a.code) for a in answers], [(409, "frozen")] * 3)
        self.assertEqual(self.state("bn"), before)
        # Sent again, each is normalized by the running statistics.
        for rank in range(3):
            body = self.shard(rank, world_size=3)
            told = self.send("bn", "train", body).json
            body.pop("sync")
            self.assertEqual(told["data"], self.ask("POST", self.path("bn", "infer"), body).json["data"])
        self.assertEqual(self.state("bn"), before)

    def test_a_step_that_is_thawed_in_time_is_trained(self):
        self.put_trained()
        waits = self.steps_that_wait("bn", self.shard(0))
        self.freeze()
        self.freeze(frozen=False)
        answers = [self.send("bn", "train", self.shard(1)), waits()]
        self.assertEqual([(a.status, a.json["num_batches_tracked"]) for a in answers], [(200, 2)] * 2)

    def test_a_rank_that_lost_its_answer_gets_it_again(self):
        self.put_trained()
        first = at_once([self.later("bn", "train", self.shard(rank)) for rank in range(2)])
        self.freeze()
        for rank in range(2):
            self.assertEqual(self.send("bn", "train", self.shard(rank)).json, first[rank].json)
        # Another batch under the step's name, as in the next epoch.
        other = {**tensor(numpy.ones((1, 4))), **sync(0, 2, timeout_ms=1)}
        self.assertEqual(self.send("bn", "train", other).json["num_batches_tracked"], 2)

    def test_gradients_of_a_step_that_had_begun(self):
        self.put_trained()
        body = lambda rank: {"input": tensor(numpy.arange(12.0).reshape(3, 4) * (rank + 1)),
                             "grad_output": tensor(numpy.eye(3, 4)), **sync(rank, 2)}
        expected = at_once([self.later("bn", "backward", {**body(rank), **sync(rank, 2, "0")}) for rank in range(2)])
        refused = lambda: self.daemon.log().count('"status":409')
        before = refused()
        waits = self.in_background(self.later("bn", "backward", body(0)))
        replaced = self.in_background(self.later("bn", "backward", body(0)))
        # One of the two is told that the other has taken its place: then that one waits.
        wait_for(lambda: refused() > before, "a rank waits")
        self.freeze()
        answers = [self.send("bn", "backward", body(1)), *(wait() for wait in (waits, replaced))]
        told = [a.json["grad_input"] for a in answers if a.status == 200]
        self.assertEqual(told, [expected[1].json["grad_input"], expected[0].json["grad_input"]])


if __name__ == "__main__":
    unittest.main()
