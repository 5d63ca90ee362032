# SPDX-License-Identifier: MIT
"""Synchronized batch normalization: shards of one step, sent by several at once, are one batch."""

import http.client
import json
import threading
import time
import unittest
import urllib.parse

import numpy

import npy
from kinds import KindTest, array, tensor
from normd import PATIENCE, Daemon, at_once

RANDOM = numpy.random.default_rng(17)
# A rank that a test does not want to wait for.
SHORT_MS = int(500 * PATIENCE)


def sync(rank, world_size, step="1", **more):
    return {"sync": {"step": step, "rank": rank, "world_size": world_size, **more}}


class SyncTest(KindTest):
    def send(self, layer, call, body, headers=None, query=""):
        """A request on a connection of its own, with any result."""
        client = self.daemon.client()
        try:
            return client.request("POST", self.path(layer, call) + query, body, headers)
        finally:
            client.close()

    def later(self, layer, call, body, **more):
        return lambda: self.send(layer, call, body, **more)

    def in_background(self, call):
        """Starts a call; the function that is returned waits for its answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(call()))
        thread.start()

        def answer():
            thread.join()
            return answers[0]

        return answer

    def steps_that_wait(self, layer, body):
        """Starts a call of train that must wait, and gives it the time to arrive."""
        answer = self.in_background(self.later(layer, "train", body))
        time.sleep(0.3 * PATIENCE)
        return answer

    def train_all(self, layer, shards, step="1", **more):
        world_size = len(shards)
        answers = at_once([self.later(layer, "train", {**tensor(x), **sync(i, world_size, step), **more})
                           for i, x in enumerate(shards)])
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
        return answers

    def assert_same_statistics(self, layer, other, near=1e-12):
        mean, var, count = self.statistics(layer)
        expected_mean, expected_var, expected_count = self.statistics(other)
        self.assertEqual(count, expected_count)
        self.assertLessEqual((numpy.abs(mean - expected_mean) / numpy.maximum(numpy.abs(expected_mean), 1)).max(), near)
        self.assertLessEqual((numpy.abs(var - expected_var) / expected_var).max(), near)

    def outputs(self, answers):
        return numpy.concatenate([array(a.json) for a in answers])


class OneBatch(SyncTest):
    CUTS = (1, 1, 6)  # 13 samples: shards of 1, 0, 5 and 7

    def put_twins(self, **definition):
        """Two equal layers: one for the shards, one for a single machine."""
        given = {"weight": RANDOM.standard_normal(4).tolist(), "bias": RANDOM.standard_normal(4).tolist()}
        for layer in ("shards", "one"):
            self.put(layer, {"kind": "batch_norm", "num_features": 4, **definition})
            self.ask("PUT", self.path(layer, "parameters"), given)

    def test_train(self):
        for averaging in ("exponential", "cumulative", "pooled"):
            with self.subTest(averaging):
                self.ask("DELETE", f"/v1/models/{self.model}", status=204) if averaging != "exponential" else None
                self.put_twins(averaging=averaging)
                for step in range(3):
                    x = RANDOM.standard_normal((13, 4, 6)) * 3 + 5
                    answers = self.train_all("shards", numpy.split(x, self.CUTS), f"{step}")
                    self.assertNear(self.outputs(answers), self.trained("one", x).reshape(x.shape))
                    self.assert_same_statistics("shards", "one")
                    told = [(a.json["num_batches_tracked"], a.json["revision"], a.headers["etag"]) for a in answers]
                    self.assertEqual(told, [(step + 1, step + 2, f'"{step + 2}"')] * 4)

    def check_backward(self, x, g, shards):
        """
        Each shard's part of the gradient by the input; those by weight and bias are what all shards' add up to. A shard
        is a body without its step, x and g what one machine is given.
        """
        before = self.state("shards")
        bodies = [{**shard, **sync(i, len(shards))} for i, shard in enumerate(shards)]
        answers = at_once([self.later("shards", "backward", body) for body in bodies])
        lengths = sum((shard.get("lengths", []) for shard in shards), [])
        one = self.ask("POST", self.path("one", "backward"),
                       {"input": tensor(x), "grad_output": tensor(g), **({"lengths": lengths} if lengths else {})}).json
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
        self.assertNear(numpy.concatenate([array(a.json["grad_input"]) for a in answers]), array(one["grad_input"]))
        for name in ("grad_weight", "grad_bias"):
            self.assertNear(sum(array(a.json[name]) for a in answers), array(one[name]), 1e-11)
        self.assertEqual(self.state("shards"), before)
        # A repeat has its gradient again.
        self.assertEqual(self.send("shards", "backward", bodies[-1]).json, answers[-1].json)

    def test_backward(self):
        self.put_twins()
        x, g = RANDOM.standard_normal((13, 4, 6)) * 3 + 5, RANDOM.standard_normal((13, 4, 6))
        shards = zip(numpy.split(x, self.CUTS), numpy.split(g, self.CUTS))
        self.check_backward(x, g, [{"input": tensor(a), "grad_output": tensor(b)} for a, b in shards])

    def test_backward_of_padded_shards(self):
        """Gradients at padding reach nothing."""
        self.put_twins()
        x, g, lengths = RANDOM.standard_normal((6, 4, 5)) * 3 + 5, RANDOM.standard_normal((6, 4, 5)), [5, 2, 0, 3, 1, 4]
        self.check_backward(x, g, [{"input": tensor(x[part]), "grad_output": tensor(g[part]), "lengths": lengths[part]}
                                   for part in (slice(0, 2), slice(2, 6))])

    def test_a_value_a_rank(self):
        """Together the shards have a variance; a single value has none."""
        self.put_twins()
        x = RANDOM.standard_normal((2, 4))
        self.assertNear(self.outputs(self.train_all("shards", [x[:1], x[1:]])), self.trained("one", x))
        before = self.state("shards")
        lone = [x[:1], x[:0]]
        answers = at_once([self.later("shards", "train", {**tensor(a), **sync(i, 2, "lone")})
                           for i, a in enumerate(lone)])
        self.assertEqual([(a.status, a.code) for a in answers], [(422, "too_few_values")] * 2)
        answers = at_once([self.later("shards", "backward",
                                      {"input": tensor(a), "grad_output": tensor(a), **sync(i, 2, "lone")})
                           for i, a in enumerate(lone)])
        self.assertEqual((answers[0].status, answers[0].code), (422, "too_few_values"))
        empty = self.train_all("shards", [x[:0]] * 3, "empty")
        self.assertEqual([a.json["num_batches_tracked"] for a in empty], [1] * 3)
        self.assertEqual(self.state("shards"), before)

    def test_sixty_four_ranks_in_two_steps_at_once(self):
        self.put_twins()
        x = RANDOM.standard_normal((128, 4))
        for _ in range(2):
            one = self.trained("one", x)
        shards = numpy.split(x, 64)
        names = [(step, i) for i in range(64) for step in ("a", "b")]
        answers = at_once([self.later("shards", "train", {**tensor(shards[i]), **sync(i, 64, step)})
                           for step, i in names])
        self.assertEqual({a.status for a in answers}, {200})
        for wanted in ("a", "b"):
            of_step = [a for a, (step, _) in zip(answers, names) if step == wanted]
            self.assertNear(self.outputs(of_step), one)
            self.assertEqual(len({a.json["revision"] for a in of_step}), 1)
        self.assertEqual({a.json["num_batches_tracked"] for a in answers}, {1, 2})
        self.assert_same_statistics("shards", "one")

    def test_padding(self):
        self.put_twins()
        x, lengths = RANDOM.standard_normal((6, 4, 5)), [5, 2, 0, 3, 1, 4]
        one = self.trained("one", x, lengths=lengths)
        bodies = [{**tensor(x[:2]), "lengths": lengths[:2], **sync(0, 2)},
                  {**tensor(x[2:]), "lengths": lengths[2:], **sync(1, 2)}]
        answers = at_once([self.later("shards", "train", body) for body in bodies])
        self.assertNear(self.outputs(answers), one.reshape(x.shape))
        self.assert_same_statistics("shards", "one")

    def check_padded(self, x, lengths, cuts):
        """Train, then backward, of shards against the whole batch on one machine, with the same padding."""
        g, world = RANDOM.standard_normal(x.shape), len(cuts) + 1
        parts = list(zip(*(numpy.split(numpy.array(a), cuts) for a in (x, g, lengths))))
        answers = at_once([self.later("shards", "train", {**tensor(a), "lengths": given.tolist(), **sync(i, world)})
                           for i, (a, _, given) in enumerate(parts)])
        self.assertEqual({a.status for a in answers}, {200}, answers)
        self.assertNear(self.outputs(answers), self.trained("one", x, lengths=lengths).reshape(x.shape))
        self.assert_same_statistics("shards", "one")
        bodies = [{"input": tensor(a), "grad_output": tensor(b), "lengths": given.tolist(), **sync(i, world)}
                  for i, (a, b, given) in enumerate(parts)]
        answers = at_once([self.later("shards", "backward", body) for body in bodies])
        self.assertEqual({a.status for a in answers}, {200}, answers)
        one = self.ask("POST", self.path("one", "backward"),
                       {"input": tensor(x), "grad_output": tensor(g), "lengths": lengths}).json
        self.assertNear(numpy.concatenate([array(a.json["grad_input"]) for a in answers]), array(one["grad_input"]))
        for name in ("grad_weight", "grad_bias"):
            self.assertNear(sum(array(a.json[name]) for a in answers), array(one[name]), 1e-11)
        # A repeat has its gradient again.
        self.assertEqual([self.send("shards", "backward", body).json for body in bodies], [a.json for a in answers])

    def test_a_shard_of_padding_alone(self):
        """A shard without values takes part, whichever rank has it and leads."""
        for cuts, lengths in (((2,), [0, 0, 5, 2, 1, 4]), ((4,), [5, 2, 1, 4, 0, 0]), ((2, 4), [5, 2, 0, 0, 1, 4]),
                              ((2, 4), [0, 0, 1, 0, 0, 1]), ((0, 3), [0, 0, 0, 3, 2, 0])):
            with self.subTest(cuts=cuts, lengths=lengths):
                self.client.request("DELETE", f"/v1/models/{self.model}")
                self.put_twins()
                self.check_padded(RANDOM.standard_normal((6, 4, 5)) * 3 + 5, lengths, cuts)

    def test_all_shards_of_padding_alone(self):
        """Also one value in all, or one beside an empty shard: too few for every rank, and nothing changes."""
        self.put_twins()
        before = self.state("shards")
        for step, lengths in enumerate(([[0, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 0], [0, 0]], [[0, 0], [1, 0]],
                                        [[], [0, 0]], [[0, 0], []], [[], [0, 1]])):
            shards = [RANDOM.standard_normal((len(given), 4, 5)) for given in lengths]
            padded = [{"lengths": given, **sync(i, len(lengths), f"{step}")} for i, given in enumerate(lengths)]
            for call, bodies in (("train", [{**tensor(x), **more} for x, more in zip(shards, padded)]),
                                 ("backward", [{"input": tensor(x), "grad_output": tensor(x), **more}
                                               for x, more in zip(shards, padded)])):
                with self.subTest(call, lengths=lengths):
                    answers = at_once([self.later("shards", call, body) for body in bodies])
                    self.assertEqual([(a.status, a.code) for a in answers], [(422, "too_few_values")] * len(bodies))
        self.assertEqual(self.state("shards"), before)

    def test_what_padding_holds_never_matters(self):
        """The same bits in train and backward of every shard, also of one that is padding alone, and zeros there."""
        lengths, cuts, shape = [5, 2, 1, 4, 0, 0], (1, 4), (6, 4, 5)
        kept = numpy.broadcast_to((numpy.arange(5) < numpy.array(lengths)[:, None])[:, None], shape)
        headers = {"Content-Type": npy.TYPE}

        def query(i, step):
            own = ",".join(map(str, numpy.split(lengths, cuts)[i]))
            return "?" + urllib.parse.urlencode({"lengths": own, "sync": json.dumps(sync(i, 3, step)["sync"])})

        for dtype in ("<f2", "<f4", "<f8"):
            x, g = (RANDOM.standard_normal(shape).astype(dtype) for _ in range(2))
            told = []
            for value in (0, numpy.nan, numpy.inf, numpy.finfo(dtype).max):
                layer = f"bn{dtype[1:]}{len(told)}"
                self.put(layer, {"kind": "batch_norm", "num_features": 4})
                self.ask("PUT", self.path(layer, "parameters"), {"weight": [3] * 4, "bias": [1] * 4})
                shards = list(zip(*(numpy.split(numpy.where(kept, a, value).astype(dtype), cuts) for a in (x, g))))
                y = at_once([self.later(layer, "train", npy.save(a), headers=headers, query=query(i, "x"))
                             for i, (a, _) in enumerate(shards)])
                grads = at_once([self.later(layer, "backward", npy.save(a) + npy.save(b), headers=headers,
                                            query=query(i, "x"))
                                 for i, (a, b) in enumerate(shards)])
                self.assertEqual([a.status for a in y + grads], [200] * 6)
                told.append([a.raw for a in y + grads] + [self.ask("GET", self.path(layer, "statistics")).json])
                self.assertEqual(told[-1], told[0], (dtype, value))
            for answers in (told[0][:3], told[0][3:6]):
                whole = numpy.concatenate([npy.load(raw[: len(npy.save(a))]) for raw, (a, _) in zip(answers, shards)])
                self.assertTrue((whole[~kept] == 0).all() and (whole[kept] != 0).all())

    def test_npy(self):
        """The options are in the query; the answers have the same bits."""
        self.put_twins()
        x = RANDOM.standard_normal((6, 4, 5)).astype("<f4")
        told = at_once([self.later("shards", "train", {**tensor(part, "FP32"), **sync(i, 2, "json")})
                        for i, part in enumerate((x[:2], x[2:]))])
        query = lambda i: "?" + urllib.parse.urlencode({"sync": json.dumps(sync(i, 2, "npy")["sync"])})
        files = at_once([self.later("shards", "train", npy.save(part), headers={"Content-Type": npy.TYPE},
                                    query=query(i))
                         for i, part in enumerate((x[:2], x[2:]))])
        for a, b in zip(told, files):
            self.assertEqual(npy.load(b.raw).ravel().tolist(), numpy.array(a.json["data"], "<f4").tolist())
            self.assertEqual(b.headers["normd-num-batches-tracked"], "2")

    def test_without_output(self):
        self.put_twins()
        x = RANDOM.standard_normal((6, 4, 5))
        answers = self.train_all("shards", numpy.split(x, 3), output=False)
        self.assertEqual([sorted(a.json) for a in answers], [["num_batches_tracked", "revision"]] * 3)
        self.trained("one", x)
        self.assert_same_statistics("shards", "one")

    def test_what_no_shard_asks_for_need_not_fit(self):
        """Statistics of values whose output would be refused."""
        self.put("bn", {"kind": "batch_norm", "num_features": 4})
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1e5] * 4})
        x = RANDOM.standard_normal((4, 4, 3))
        bodies = [{**tensor(part, "FP16"), **sync(i, 2), "output": False} for i, part in enumerate(numpy.split(x, 2))]
        answers = at_once([self.later("bn", "train", body) for body in bodies])
        self.assertEqual([a.json["num_batches_tracked"] for a in answers], [1, 1])

    def test_clip(self):
        self.put_twins(clip=0.5)
        x = RANDOM.standard_normal((6, 4, 5))
        one = self.trained("one", x).reshape(x.shape)
        self.assertEqual(numpy.abs(one).max(), 0.5)
        self.assertNear(self.outputs(self.train_all("shards", numpy.split(x, 3))), one)

    def test_a_layer_that_tracks_nothing(self):
        self.put_twins(track_running_stats=False)
        x = RANDOM.standard_normal((6, 4, 5))
        answers = self.train_all("shards", numpy.split(x, 3))
        self.assertNear(self.outputs(answers), self.trained("one", x).reshape(x.shape))
        self.assertEqual([a.json["num_batches_tracked"] for a in answers], [0] * 3)

    def test_nothing_is_stored_where_a_shard_s_result_might_not_fit(self):
        """Whichever rank leads: another shard's datatype may be the narrow one."""
        self.put("bn", {"kind": "batch_norm", "num_features": 4})
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1e5] * 4, "bias": [0] * 4})
        x = RANDOM.standard_normal((2, 4, 3))
        before = self.state("bn")
        for turn in range(2):
            bodies = [{**tensor(x, datatype), **sync(i, 2, f"{turn}")} for i, datatype in enumerate(("FP16", "FP32"))]
            waits = self.steps_that_wait("bn", bodies[turn])
            answers = [self.send("bn", "train", bodies[1 - turn]), waits()]
            self.assertEqual([(a.status, a.code) for a in answers], [(422, "non_finite_input")] * 2)
        self.assertEqual(self.state("bn"), before)
        # A shard of padding alone has an output of zeros, which fit any datatype.
        bodies = [{**tensor(x, "FP16"), "lengths": [0, 0], **sync(0, 2, "p")}, {**tensor(x, "FP32"), **sync(1, 2, "p")}]
        answers = at_once([self.later("bn", "train", body) for body in bodies])
        self.assertEqual([a.status for a in answers], [200] * 2)


class Meeting(SyncTest):
    def setUp(self):
        super().setUp()
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        self.x = RANDOM.standard_normal((4, 2))

    def shard(self, rank, world_size=2, step="1", x=None, **more):
        return {**tensor(self.x if x is None else x), **sync(rank, world_size, step, **more)}

    def test_a_repeat_has_the_result_without_another_update(self):
        first = at_once([self.later("bn", "train", self.shard(i)) for i in range(2)])
        for _ in range(2):
            again = self.send("bn", "train", self.shard(1))
            self.assertEqual((again.status, again.raw), (200, first[1].raw))
        self.assertEqual(self.statistics("bn")[2], 1)

    def test_a_rank_that_sends_again_takes_its_place(self):
        replaced = self.steps_that_wait("bn", self.shard(0, x=self.x + 100))
        resent = self.steps_that_wait("bn", self.shard(0))
        told = replaced()
        self.assertEqual((told.status, told.code), (409, "sync_incomplete"))
        self.assertEqual(self.send("bn", "train", self.shard(1)).status, 200)
        self.assertEqual(resent().status, 200)
        self.assertLess(self.statistics("bn")[0].max(), 1)

    def test_a_rank_that_never_comes(self):
        before = self.state("bn")
        began = time.monotonic()
        answers = at_once([self.later("bn", "train", self.shard(i, 3, timeout_ms=SHORT_MS)) for i in (0, 2)])
        self.assertGreaterEqual(time.monotonic() - began, SHORT_MS / 1000)
        for answer in answers:
            self.assertEqual((answer.status, answer.code), (409, "sync_incomplete"))
            self.assertIn("2 of 3", answer.json["detail"])
        self.assertEqual(self.state("bn"), before)
        # The step may be made anew.
        self.assertEqual({a.status for a in at_once([self.later("bn", "train", self.shard(i, 3)) for i in range(3)])},
                         {200})

    def test_a_client_that_hangs_up_while_it_waits(self):
        """Its shard stays: the step completes, and a repeated call gets the answer."""
        body = json.dumps(self.shard(0)).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port)
        connection.request("POST", self.path("bn", "train"), body)
        time.sleep(0.3 * PATIENCE)
        connection.close()
        self.assertEqual(self.send("bn", "train", self.shard(1)).status, 200)
        self.assertEqual(self.send("bn", "train", self.shard(0)).json["num_batches_tracked"], 1)
        self.assertEqual(self.statistics("bn")[2], 1)

    def test_the_last_to_come_hangs_up(self):
        """A rank that hangs up right after sending: the others still get their answer."""
        for round in range(10):
            waits = self.steps_that_wait("bn", self.shard(0, step=f"{round}"))
            connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port)
            connection.request("POST", self.path("bn", "train"), json.dumps(self.shard(1, step=f"{round}")).encode())
            connection.close()
            told = waits()
            self.assertEqual((told.status, told.json["num_batches_tracked"]), (200, round + 1))
        self.assertEqual(self.statistics("bn")[2], 10)

    def test_steps_and_worlds_that_differ(self):
        waits = self.steps_that_wait("bn", self.shard(0, timeout_ms=3 * SHORT_MS))
        told = self.send("bn", "train", self.shard(1, 3))
        self.assertEqual((told.status, told.code), (400, "bad_parameter"))
        self.assertEqual(waits().code, "sync_incomplete")

    def test_channels_that_differ(self):
        self.put("any", {"kind": "batch_norm"})
        waits = self.steps_that_wait("any", self.shard(0, timeout_ms=3 * SHORT_MS))
        told = self.send("any", "train", self.shard(1, x=RANDOM.standard_normal((4, 3))))
        self.assertEqual((told.status, told.code), (422, "shape_mismatch"))
        self.assertEqual(waits().code, "sync_incomplete")

    def test_a_layer_that_is_deleted_meanwhile(self):
        """The step belonged to the deleted layer; a new layer of the same name does not have it."""
        waits = self.steps_that_wait("bn", self.shard(0, timeout_ms=3 * SHORT_MS))
        self.ask("DELETE", self.path("bn"), status=204)
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        other = self.send("bn", "train", self.shard(1, timeout_ms=1))
        self.assertEqual([(a.status, a.code) for a in (waits(), other)], [(409, "sync_incomplete")] * 2)
        self.assertEqual(self.statistics("bn")[2], 0)

    def test_bad_options(self):
        good = {"step": "1", "rank": 0, "world_size": 2}
        wrong = {
            "sync": (5, [], "1", {}),
            "sync.step": ("", None, "x" * 129, True, {}, 1.5, -1, 1e300, -0.0),
            "sync.rank": (-1, 2, 1.5, "0", None),
            "sync.world_size": (0, 4097, "2", None),
            "sync.timeout_ms": (0, 3600001, "1", 1.5),
            "extra": (1,),
        }
        for name, values in wrong.items():
            for value in values:
                member = name.removeprefix("sync.")
                bad = value if name == "sync" else {**good, member: value}
                told = self.refused("bad_parameter", 400, "bn", "train", {**tensor(self.x), "sync": bad})
                self.assertIn(f'"sync" has no "{member}", which must be' if value is None else name, told["detail"])
        for name in good:
            told = self.refused("bad_parameter", 400, "bn", "train",
                                {**tensor(self.x), "sync": {key: value for key, value in good.items() if key != name}})
            self.assertIn(f'"sync" has no "{name}", which must be', told["detail"])
        for number in ("1.0", "1e3", "1E3", "-0", "1.5e1", "9" * 129):
            query = urllib.parse.quote('{"step":%s,"rank":0,"world_size":2}' % number)
            self.assertIn("sync.step",
                          self.refused("bad_parameter", 400, "bn", "train?sync=" + query, tensor(self.x))["detail"])
        self.refused("bad_parameter", 400, "bn", "train?sync=%7B", tensor(self.x))
        self.refused("bad_parameter", 400, "bn", "train?sync=5", tensor(self.x))
        self.refused("bad_parameter", 400, "bn", "train?sync=" + urllib.parse.quote(json.dumps(good)), self.shard(0))
        self.refused("bad_parameter", 400, "bn", "train", self.shard(0), {"Idempotency-Key": '"k"'})
        for call in ("infer", "statistics/merge"):
            self.refused("bad_parameter", 400, "bn", call, self.shard(0))
        body = {"input": tensor(self.x), "grad_output": tensor(self.x), **sync(0, 2)}
        self.refused("bad_parameter", 400, "bn", "backward", {**body, "mode": "infer"})

    def test_limits_are_included(self):
        alone = self.send("bn", "train", self.shard(0, 1, step="x" * 128, timeout_ms=3600000))
        self.assertEqual((alone.status, alone.json["num_batches_tracked"]), (200, 1))
        last = self.send("bn", "train", self.shard(4095, 4096, timeout_ms=1))
        self.assertEqual((last.status, last.code), (409, "sync_incomplete"))
        self.assertIn("1 of 4096", last.json["detail"])

    def test_a_number_for_a_step(self):
        """1042 and "1042" are the same step."""
        answers = at_once([self.later("bn", "train", self.shard(0, step=1042)),
                           self.later("bn", "train", self.shard(1, step="1042"))])
        self.assertEqual([a.status for a in answers], [200, 200])

    def test_layers_that_cannot(self):
        x = RANDOM.standard_normal((4, 2, 3))
        definitions = [{"kind": "layer_norm", "normalized_shape": 3}, {"kind": "rms_norm", "normalized_shape": 3},
                       {"kind": "instance_norm", "track_running_stats": True},
                       {"kind": "group_norm", "num_groups": 1, "num_channels": 2},
                       {"kind": "batch_norm", "virtual_batch_size": 2}, {"kind": "batch_norm", "shuffle": True},
                       {"kind": "batch_norm", "renorm": {}}]
        for i, definition in enumerate(definitions):
            self.put(f"l{i}", definition)
            self.refused("bad_parameter", 400, f"l{i}", "train", {**tensor(x), **sync(0, 2)})
            seed = {"seed": 1} if definition.get("shuffle") else {}
            self.refused("bad_parameter", 400, f"l{i}", "backward",
                         {"input": tensor(x), "grad_output": tensor(x), **sync(0, 2), **seed})
        self.put("clip", {"kind": "batch_norm", "clip": 1})
        self.refused("bad_parameter", 400, "clip", "backward",
                     {"input": tensor(x), "grad_output": tensor(x), **sync(0, 2)})


class Daemons(SyncTest):
    """With a daemon of its own, to be stopped."""

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(lambda: self.daemon.close())
        super().setUp()
        self.put("bn", {"kind": "batch_norm"})
        self.x = RANDOM.standard_normal((4, 2))

    def test_what_was_answered_survives_a_kill(self):
        self.train_all("bn", [self.x, self.x + 1])
        before = self.statistics("bn")
        self.daemon.kill()
        self.daemon.start()
        self.client = self.daemon.client()
        after = self.statistics("bn")
        self.assertEqual([a.tolist() for a in after[:2]], [b.tolist() for b in before[:2]])
        self.assertEqual(after[2], 1)

    def test_a_drain_does_not_wait_for_ranks(self):
        waits = self.steps_that_wait("bn", {**tensor(self.x), **sync(0, 2, timeout_ms=600000)})
        began = time.monotonic()
        self.daemon.stop()
        self.assertLess(time.monotonic() - began, 5 * PATIENCE)
        told = waits()
        self.assertEqual((told.status, told.code), (503, "shutting_down"))


if __name__ == "__main__":
    unittest.main()
