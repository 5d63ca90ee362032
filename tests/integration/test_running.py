# SPDX-License-Identifier: MIT
"""
Layers that normalize by the running statistics: the update comes first, and the batch is then normalized by the state
that it has led to, as observation normalizers do. The formulas are written down a second time, in numpy.
"""

import json
import math
import unittest
from functools import partial

import numpy

import npy
from kinds import KindTest, array, tensor
from normd import Daemon, at_once
from test_sync import SyncTest, sync

RANDOM = numpy.random.default_rng(41)
RUNNING = {"kind": "batch_norm", "normalize_by": "running"}
# With the divisor of their variances: n - ddof.
AVERAGINGS = {
    "exponential": ({"averaging": "exponential", "momentum": 0.25}, 1),
    "keras": ({"convention": "keras", "momentum": 0.75, "channel_axis": 1}, 0),
    "cumulative": ({"averaging": "cumulative"}, 1),
    "pooled": ({"averaging": "pooled"}, 0),
    "pooled_unbiased": ({"averaging": "pooled", "unbiased_running_var": True}, 1),
    "decayed": ({"averaging": "decayed", "half_life": 5}, 0),
}
MERGE_ONE = ("pooled", "pooled_unbiased", "decayed")


class Formulas:
    """Running statistics of `features` channels, as a plain program would keep them."""

    def __init__(self, averaging, features, eps=1e-5, with_mean=True, min_std=0):
        self.averaging, self.ddof = averaging, AVERAGINGS[averaging][1]
        self.mean, self.var = numpy.zeros(features), numpy.ones(features)
        self.count = self.batches = 0
        self.eps = 1e-3 if averaging == "keras" else eps
        self.with_mean, self.min_std = with_mean, min_std

    def update(self, x):
        """`x`: a row for each value of all channels."""
        n = len(x)
        mean, m2 = x.mean(0), ((x - x.mean(0)) ** 2).sum(0)
        self.batches += 1
        if self.averaging in ("exponential", "keras", "cumulative"):
            share = 1 / self.batches if self.averaging == "cumulative" else 0.25
            self.mean = self.mean + share * (mean - self.mean)
            self.var = self.var + share * (m2 / (n - self.ddof) - self.var)
            return
        m2_before = self.var * max(self.count - self.ddof, 0)
        if self.averaging == "decayed":
            m2_before, self.count = m2_before * 2 ** (-n / 5), self.count * 2 ** (-n / 5)
        delta, total = mean - self.mean, self.count + n
        m2_after = m2_before + m2 + delta ** 2 * self.count * n / total
        self.mean = self.mean + delta * n / total
        self.var = m2_after / (total - self.ddof) if total > self.ddof else m2_after * 0
        self.count = total

    def normalize(self, x, axis=1, weight=1, bias=0):
        shape = [-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]
        spread = lambda v: numpy.reshape(v, shape) if numpy.ndim(v) else v
        scale = 1 / numpy.where(numpy.sqrt(self.var) < self.min_std, 1, numpy.sqrt(self.var + self.eps))
        mean = self.mean if self.with_mean else self.mean * 0
        return (x - spread(mean)) * spread(scale) * spread(weight) + spread(bias)


def rows(x, axis=1):
    return numpy.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])


class RunningTest(KindTest):
    def send(self, layer, x, datatype="FP64", query="", headers=None, status=200, **members):
        return self.ask("POST", self.path(layer, "train") + query, tensor(x, datatype, **members), headers, status)

    def array(self, answer):
        return array(answer.json)


class StepByStep(RunningTest):
    def test_every_averaging_and_shape(self):
        """The answer is by the formulas after the update, and has the bits of an inference that follows."""
        for name, (definition, _) in AVERAGINGS.items():
            for shape, axis in (((3, 4), 1), ((2, 4, 3), 1), ((2, 3, 4), -1), ((1, 4), 1)):
                if shape == (1, 4) and name not in MERGE_ONE:
                    continue
                layer = f"{name}{len(shape)}{axis}{shape[0]}"
                self.put(layer, {**RUNNING, **definition, "channel_axis": axis})
                weight, bias = RANDOM.standard_normal(4), RANDOM.standard_normal(4)
                formulas = Formulas(name, 4)
                for step in range(6):
                    with self.subTest(layer, step=step):
                        if step == 2:
                            self.ask("PUT", self.path(layer, "parameters"),
                                     {"weight": weight.tolist(), "bias": bias.tolist()})
                        x = RANDOM.standard_normal(shape) * 3 + 5
                        answer = self.send(layer, x)
                        formulas.update(rows(x, axis))
                        by = (weight, bias) if step >= 2 else ()
                        self.assertNear(self.array(answer), formulas.normalize(x, axis, *by), 1e-11)
                        self.assertEqual((answer.json["num_batches_tracked"], answer.json["revision"]),
                                         (step + 1, step + 1 + (step >= 2)))
                        inferred = self.ask("POST", self.path(layer, "infer"), tensor(x))
                        self.assertEqual(self.array(answer).tolist(), self.array(inferred).tolist())
                        self.assertEqual(answer.headers["etag"], inferred.headers["etag"])

    def test_every_datatype(self):
        """Rounded once, in JSON and in .npy."""
        self.put("l", {**RUNNING, "averaging": "pooled"})
        for kind, datatype in (("<f2", "FP16"), ("<f4", "FP32"), ("<f8", "FP64"), (">f4", None), ("V2", None)):
            x = RANDOM.standard_normal((5, 4)) * 3 + 5
            x = npy.bfloat16_from(x).view("V2") if kind == "V2" else x.astype(kind)
            values = npy.bfloat16_values(x.view("<u2")) if kind == "V2" else x.astype("<f8")
            for form in ("json", "npy"):
                if form == "json" and datatype is None:
                    continue
                with self.subTest(kind, form=form):
                    answer = (self.post_npy(self.path("l", "train"), x) if form == "npy" else
                              self.send("l", values, datatype))
                    wide = self.array(self.ask("POST", self.path("l", "infer"), tensor(values)))
                    got = npy.load(answer.raw) if form == "npy" else self.array(answer).astype(kind)
                    if kind == "V2":
                        self.assertEqual(got.tobytes(), npy.bfloat16_from(wide).tobytes())
                    else:
                        self.assertEqual(got.astype(kind).tobytes(), wide.astype(kind).tobytes())

    def test_padding_ghost_batches_and_shuffle(self):
        """Each ghost batch makes an update; all of them are normalized by the last state."""
        for name, definition in (("plain", {}), ("ghosts", {"virtual_batch_size": 2}),
                                 ("shuffle", {"virtual_batch_size": 2, "shuffle": True})):
            with self.subTest(name):
                self.put(name, {**RUNNING, "averaging": "cumulative", **definition})
                x, lengths = RANDOM.standard_normal((6, 4, 5)) * 3 + 5, [5, 2, 1, 3, 2, 4]
                x[1, :, 2:] = numpy.nan
                data = json.loads(json.dumps(x.tolist()).replace("NaN", "7e300"))
                answer = self.ask("POST", self.path(name, "train"),
                                  {"datatype": "FP64", "data": data, "lengths": lengths}).json
                keep = numpy.arange(5) < numpy.array(lengths)[:, None]
                if name != "shuffle":
                    formulas = Formulas("cumulative", 4)
                    for samples in [slice(0, 6)] if name == "plain" else [slice(i, i + 2) for i in (0, 2, 4)]:
                        formulas.update(numpy.moveaxis(x, 1, -1)[samples][keep[samples]])
                    y = numpy.where(keep[:, None], formulas.normalize(numpy.nan_to_num(x)), 0)
                    self.assertNear(answer["data"], y, 1e-11)
                self.assertEqual(answer["num_batches_tracked"], 1 if name == "plain" else 3)
                inferred = self.ask("POST", self.path(name, "infer"),
                                    {"datatype": "FP64", "data": data, "lengths": lengths}).json
                self.assertEqual(answer["data"], inferred["data"])

    def test_clip_and_no_affine(self):
        self.put("l", {**RUNNING, "averaging": "pooled", "clip": 0.75, "affine": False})
        formulas = Formulas("pooled", 4)
        for _ in range(4):
            x = RANDOM.standard_normal((3, 4))
            formulas.update(x)
            self.assertNear(self.array(self.send("l", x)), numpy.clip(formulas.normalize(x), -0.75, 0.75))

    def test_rewards_keep_their_mean(self):
        """with_mean false divides alone; inference, its inverse, affine and the gradient do the same."""
        self.put("l", {**RUNNING, "averaging": "pooled", "with_mean": False, "num_features": 1})
        formulas = Formulas("pooled", 1, with_mean=False)
        for x in (RANDOM.standard_normal((20, 1, 1)) * 3 + 5):
            formulas.update(x)
            self.assertNear(self.array(self.send("l", x)), formulas.normalize(x))
        self.assertNear(self.statistics("l")[0], formulas.mean)
        self.check_inference("l", formulas, RANDOM.standard_normal((7, 1)))

    def check_inference(self, layer, formulas, x):
        y = self.infer(layer, x)
        self.assertNear(y, formulas.normalize(x), 1e-11)
        self.assertNear(self.infer(layer, y, "?inverse=true"), x, 1e-11)
        affine = self.ask("GET", self.path(layer, "affine")).json
        self.assertNear(y, x * affine["scale"] + affine["shift"], 1e-11)

    def test_min_std(self):
        """Deviations below it, equal to it and above it: 0, 1, 2, 3."""
        self.put("l", {**RUNNING, "averaging": "pooled", "min_std": 2, "eps": 0})
        x = numpy.outer([-1, 1, -1, 1], [0, 1, 2, 3]) + 5.0
        formulas = Formulas("pooled", 4, eps=0, min_std=2)
        formulas.update(x)
        self.assertEqual(self.array(self.send("l", x)).tolist(), ((x - 5) / [1, 1, 2, 3]).tolist())
        self.assertEqual(self.array(self.send("l", x)).tolist(), ((x - 5) / [1, 1, 2, 3]).tolist())
        self.check_inference("l", formulas, x)
        # By the batch's own statistics, as long as train normalizes by them.
        self.put("batch", {"kind": "batch_norm", "averaging": "pooled", "min_std": 2})
        self.assertNear(self.trained("batch", x)[:, 1], x[:, 1] - 5, 1e-5)
        self.assertEqual(self.infer("batch", x)[:, 1].tolist(), (x[:, 1] - 5).tolist())

    def test_normalize_is_a_first_batch(self):
        for name, (definition, _) in AVERAGINGS.items():
            for more in ({}, {"virtual_batch_size": 2}, {"with_mean": False, "min_std": 1.5, "clip": 1}):
                with self.subTest(name, more=more):
                    layer = name + "".join(more)
                    x = RANDOM.standard_normal((6 if name not in MERGE_ONE or more else 1, 4)) * 3 + 5
                    given = {"weight": [1, 2, 3, 4], "bias": [0, 1, 0, 1]}
                    self.put(layer, {**RUNNING, **definition, **more, "num_features": 4})
                    self.ask("PUT", self.path(layer, "parameters"), given)
                    once = self.normalize_once({**RUNNING, **definition, **more}, x, **given)
                    self.assertEqual(once, self.train(layer, x).json["data"])

    def test_output_false_makes_the_same_updates(self):
        for name, (definition, _) in AVERAGINGS.items():
            for layer, query in ((name, ""), (name + "0", "?output=false")):
                self.put(layer, {**RUNNING, **definition})
                for seed in range(3):
                    x = numpy.random.default_rng(seed).standard_normal((3, 4))
                    answer = self.send(layer, x, query=query)
                    self.assertEqual("data" in answer.json, not query)
            self.assertEqual(*([a.tolist() for a in self.statistics(layer)[:2]] for layer in (name, name + "0")))

    def test_an_empty_batch_changes_nothing(self):
        self.put("l", {**RUNNING, "averaging": "pooled", "num_features": 2})
        answer = self.ask("POST", self.path("l", "train"), {"shape": [0, 2], "data": []}).json
        self.assertEqual((answer["data"], answer["revision"]), ([], 0))


class OneValue(RunningTest):
    def test_where_one_value_is_enough(self):
        x = numpy.array([[3.0, -4.0]])
        for name, (definition, _) in AVERAGINGS.items():
            for by in ("batch", "running"):
                for query in ("", "?output=false"):
                    with self.subTest(name, by=by, query=query):
                        layer = f"{name}-{by}{len(query)}"
                        self.put(layer, {**RUNNING, **definition, "normalize_by": by, "num_features": 2})
                        if name in MERGE_ONE and (query or by == "running"):
                            self.send(layer, x, query=query)
                            mean, var, _ = self.statistics(layer)
                            self.assertEqual((mean.tolist(), var.tolist()), (x[0].tolist(), [0, 0]))
                        else:
                            told = self.refused("too_few_values", 422, layer, "train" + query, tensor(x))
                            # The message tells how to send single values those who can, and those who want to.
                            self.assertEqual("output=false" in told["detail"], name in MERGE_ONE, told)
                            wants = name not in MERGE_ONE and (query or by == "running")
                            self.assertEqual('"pooled" or "decayed"' in told["detail"], bool(wants), told)

    def test_inference_of_one_value(self):
        """By 1 / sqrt(eps), or under min_std by 1."""
        for layer, definition, scale in (("l", {}, 1 / math.sqrt(1e-5)), ("m", {"min_std": 1e-3}, 1)):
            self.put(layer, {**RUNNING, "averaging": "pooled", **definition})
            self.assertEqual(self.array(self.send(layer, numpy.array([[3.0]]))).tolist(), [[0]])
            self.assertEqual(self.infer(layer, numpy.array([[5.0]])).tolist(), [[2 * scale]])

    def test_one_value_in_padding_and_in_a_ghost_batch(self):
        self.put("padded", {**RUNNING, "averaging": "pooled"})
        answer = self.send("padded", numpy.ones((2, 3, 2)), lengths=[1, 0])
        self.assertEqual(answer.json["num_batches_tracked"], 1)
        self.refused("too_few_values", 422, "padded", "train", tensor(numpy.ones((2, 3, 2)), lengths=[0, 0]))
        self.put("ghosts", {**RUNNING, "averaging": "pooled", "virtual_batch_size": 4})
        self.assertEqual(self.send("ghosts", numpy.ones((13, 3))).json["num_batches_tracked"], 4)


class Merge(RunningTest):
    def test_one_value_is_a_batch_where_it_can_be_merged(self):
        x = numpy.array([[3.0, -4.0], [5.0, 1.0], [-2.0, 2.0]])
        for name, (definition, _) in AVERAGINGS.items():
            for layer in (name, name + "m"):
                self.put(layer, {**RUNNING, **definition, "num_features": 2})
            for row in x:
                moments = {"count": 1, "mean": row.tolist(), "var": [0, 0]}
                if name in MERGE_ONE:
                    self.send(name, row[None])
                    self.ask("POST", self.path(name + "m", "statistics", "merge"), moments)
                else:
                    self.refused("too_few_values", 422, name + "m", "statistics/merge", moments)
            self.assertEqual(*(self.ask("GET", self.path(layer, "statistics")).json for layer in (name, name + "m")))


class Backward(RunningTest):
    GIVEN = {"weight": [2, -1, 0.5], "bias": [0, 1, 0]}

    def gradients(self, layer, x, g, headers=None, **members):
        return self.ask("POST", self.path(layer, "backward"), {"input": tensor(x), "grad_output": tensor(g), **members},
                        headers)

    def put_trained(self, layer="l", **definition):
        self.put(layer, {**RUNNING, "averaging": "pooled", "num_features": 3, **definition})
        self.ask("PUT", self.path(layer, "parameters"), self.GIVEN)
        x = RANDOM.standard_normal((5, 3)) * 3 + 2
        self.send(layer, x)
        return x, RANDOM.standard_normal((5, 3))

    def test_the_statistics_are_constants(self):
        """As in mode infer, and as differences of inference by the state that the batch has led to."""
        for layer, definition in (("plain", {}), ("clip", {"clip": 0.8}),
                                  ("mean", {"with_mean": False, "min_std": 2.5}),
                                  ("shuffle", {"shuffle": True, "virtual_batch_size": 2})):
            with self.subTest(layer):
                x, g = self.put_trained(layer, **definition)
                answer = self.gradients(layer, x, g)
                self.assertEqual(answer.raw, self.gradients(layer, x, g, mode="infer").raw)
                self.assertEqual(answer.headers["etag"], '"2"')
                step = 1e-6
                numeric = (self.infer(layer, x + step) - self.infer(layer, x - step)) / (2 * step) * g
                self.assertNear(array(answer.json["grad_input"]), numeric, 1e-7)
                for name in self.GIVEN:
                    told = []
                    for sign in (1, -1):
                        moved = {**self.GIVEN, name: [v + sign * step for v in self.GIVEN[name]]}
                        self.ask("PUT", self.path(layer, "parameters"), moved)
                        told.append((self.infer(layer, x) * g).sum(0))
                    self.assertNear(array(answer.json[f"grad_{name}"]), (told[0] - told[1]) / (2 * step), 1e-6)

    def test_one_value_and_no_statistics(self):
        x, g = self.put_trained()
        self.assertEqual(self.gradients("l", x[:1], g[:1]).raw, self.gradients("l", x[:1], g[:1], mode="infer").raw)
        self.put("new", {**RUNNING, "num_features": 3})
        self.refused("not_trained", 409, "new", "backward", {"input": tensor(x), "grad_output": tensor(g)})

    def test_ranks_are_answered_at_once(self):
        x, g = self.put_trained(clip=0.8)
        step = {"step": "1", "rank": 0, "world_size": 2}
        alone = self.gradients("l", x, g, sync=step)
        self.assertEqual(alone.raw, self.gradients("l", x, g).raw)
        body = {"input": tensor(x), "grad_output": tensor(g)}
        self.refused("bad_parameter", 400, "l", "backward", {**body, "mode": "infer", "sync": step})
        self.refused("bad_parameter", 400, "l", "backward", {**body, "sync": {**step, "rank": 2}})


class Synchronized(SyncTest):
    """The shards are one batch, and each rank is normalized by the state that it has led to."""

    def put_twins(self, **definition):
        for layer in ("shards", "one"):
            self.put(layer, {**RUNNING, "averaging": "pooled", "num_features": 4, **definition})
            self.ask("PUT", self.path(layer, "parameters"), {"weight": [1, 2, 3, -1], "bias": [0, 1, 0, -2]})

    def test_train(self):
        for name, (definition, _) in AVERAGINGS.items():
            with self.subTest(name):
                self.client.request("DELETE", f"/v1/models/{self.model}")
                self.put_twins(**definition)
                for step in range(3):
                    x = RANDOM.standard_normal((13, 4, 6)) * 3 + 5
                    shards = numpy.split(x, (1, 1, 6))
                    answers = self.train_all("shards", shards, f"{step}")
                    self.assertNear(self.outputs(answers), self.trained("one", x), 1e-11)
                    self.assertEqual(self.outputs(answers).tolist(), self.infer("shards", x).tolist())
                    self.assert_same_statistics("shards", "one")
                    self.assertEqual([(a.json["num_batches_tracked"], a.json["revision"]) for a in answers],
                                     [(step + 1, step + 2)] * 4)
                # A repeat is normalized by the state of its step, also when the layer has moved on.
                self.trained("shards", x)
                again = self.send("shards", "train", {**tensor(shards[2]), **sync(2, 4, f"{step}")})
                self.assertEqual(again.raw, answers[2].raw)

    def test_padding_and_ranks_without_output(self):
        self.put_twins(with_mean=False, min_std=0.5)
        x, lengths = RANDOM.standard_normal((6, 4, 5)), [5, 2, 0, 0, 1, 4]
        expected = self.trained("one", x, lengths=lengths)
        for silent in range(3):
            self.ask("DELETE", self.path("shards", "statistics"))
            cut = [slice(0, 2), slice(2, 4), slice(4, 6)]
            answers = at_once([self.later("shards", "train",
                                          {**tensor(x[part]), "lengths": lengths[part], "output": i != silent,
                                           **sync(i, 3, f"{silent}")}) for i, part in enumerate(cut)])
            for i, part in enumerate(cut):
                self.assertEqual(answers[i].status, 200, answers[i])
                if i != silent:
                    self.assertNear(self.outputs([answers[i]]), expected[part], 1e-11)
                else:
                    self.assertNotIn("data", answers[i].json)

    def test_one_value_in_all(self):
        self.put_twins()
        x = RANDOM.standard_normal((1, 4))
        answers = self.train_all("shards", [x[:0], x])
        self.assertEqual(self.outputs(answers).tolist(), self.trained("one", x).tolist())
        self.put("exponential", {**RUNNING, "num_features": 4})
        answers = at_once([self.later("exponential", "train", {**tensor(a), **sync(i, 2)})
                           for i, a in enumerate((x[:0], x))])
        self.assertEqual([(a.status, a.code) for a in answers], [(422, "too_few_values")] * 2)

    def test_what_is_not_finite_is_refused_to_all(self):
        for layer, eps, datatypes, detail in (("l", 1e-30, ("FP16", "FP64"), "might not fit"),
                                              ("zero", 0, ("FP64", "FP64"), "variance is 0")):
            self.put(layer, {**RUNNING, "averaging": "pooled", "eps": eps, "num_features": 1})
            self.ask("PUT", self.path(layer, "statistics"), {"running_mean": [1], "running_var": [eps and 1e-12],
                                                             "num_batches_tracked": 1, "count": 10**12})
            before, x = self.state(layer), numpy.array([[1.0 + (eps and 2)]])
            answers = at_once([self.later(layer, "train", {**tensor(x, kind), **sync(i, 2)})
                               for i, kind in enumerate(datatypes)])
            for answer in answers:
                self.assertEqual((answer.status, answer.code), (422, "non_finite_input"), answer)
                self.assertIn(detail, answer.json["detail"])
            self.assertEqual(self.state(layer), before)
            silent = at_once([self.later(layer, "train", {**tensor(x, kind), "output": False, **sync(i, 2)})
                              for i, kind in enumerate(datatypes)])
            self.assertEqual([a.status for a in silent], [200, 200])

    def test_steps_amid_other_training(self):
        """What others train at the same time moves the layer, but not the state that a step's ranks share."""
        self.put("l", {**RUNNING, "averaging": "pooled", "num_features": 4})
        steps, x = range(20), RANDOM.standard_normal((20, 3, 2, 4)) * 3 + 5
        ranks = lambda i: [self.send("l", "train", {**tensor(x[step, i]), **sync(i, 2, f"{step}")}) for step in steps]
        other = lambda: [self.send("l", "train", tensor(x[step, 2])) for step in steps]
        first, second, alone = at_once([partial(ranks, 0), partial(ranks, 1), other])
        batches = {}
        for step in steps:
            self.assertEqual(first[step].json["revision"], second[step].json["revision"])
            batches[first[step].json["revision"]] = (numpy.concatenate(x[step, :2]),
                                                     self.outputs([first[step], second[step]]))
            batches[alone[step].json["revision"]] = x[step, 2], self.outputs([alone[step]])
        formulas = Formulas("pooled", 4)
        for revision in range(1, 41):
            batch, y = batches[revision]
            formulas.update(batch)
            self.assertNear(y, formulas.normalize(batch), 1e-10)


class Refused(RunningTest):
    def test_variance_0_and_eps_0(self):
        for averaging in MERGE_ONE:
            for given, x in (({}, [[3.0, 4.0]]), ({"min_std": 1e-3}, None)):
                layer = f"{averaging}{len(given)}"
                self.put(layer, {**RUNNING, **AVERAGINGS[averaging][0], "eps": 0, "num_features": 2, **given})
                if x is None:
                    self.assertEqual(self.array(self.send(layer, numpy.array([[3.0, 4.0]]))).tolist(), [[0, 0]])
                else:
                    told = self.refused("non_finite_input", 422, layer, "train", {"data": x})
                    self.assertIn("variance is 0", told["detail"])
                    self.send(layer, numpy.array(x), query="?output=false")

    def test_what_does_not_fit_float16(self):
        """Also where it is only the new state that makes it too large; what fits narrowly is answered."""
        self.put("l", {**RUNNING, "averaging": "pooled", "eps": 1e-30, "num_features": 2})
        self.ask("PUT", self.path("l", "statistics"), {"running_mean": [0, 0], "running_var": [1e-12, 1],
                                                       "num_batches_tracked": 1, "count": 10**12})
        for form in ("json", "npy"):
            x = numpy.array([[1, 2], [3, 4]], "<f2")
            before = self.state("l")
            if form == "json":
                answer = self.ask("POST", self.path("l", "train"), tensor(x, "FP16"), status=422)
            else:
                answer = self.ask("POST", self.path("l", "train"), npy.save(x), {"Content-Type": npy.TYPE}, 422)
            self.assertEqual(answer.code, "non_finite_input")
            self.assertIn("channel 0", answer.json["detail"])
            self.assertEqual(self.state("l"), before)
        narrow = self.ask("POST", self.path("l", "train"), tensor(x * [0.02, 1], "FP16")).json["data"]
        self.assertGreater(max(map(abs, narrow)), 20000)

    def test_large_tensors_that_might_not_fit(self):
        """Their extremes decide; the answer has the bits of inference."""
        self.put("l", {**RUNNING, "averaging": "pooled", "num_features": 4, "virtual_batch_size": 7000})
        x = (RANDOM.standard_normal((20000, 4)) + 3).astype("<f2")
        for weight, status in ((30000, 422), (6000, 200), (30000, 422), (10000, 200)):
            self.ask("PUT", self.path("l", "parameters"), {"weight": [1, 1, weight, 1]})
            before = self.state("l")
            answer = self.ask("POST", self.path("l", "train"), npy.save(x), {"Content-Type": npy.TYPE}, status)
            if status == 422:
                self.assertIn("channel 2:", answer.json["detail"])
                self.assertEqual(self.state("l"), before)
            else:
                self.assertEqual(answer.raw, self.post_npy(self.path("l", "infer"), x).raw)

    def test_definitions(self):
        for definition in ({"normalize_by": "runing"}, {"normalize_by": "running", "track_running_stats": False},
                           {"with_mean": False}, {"with_mean": False, "normalize_by": "batch"}, {"min_std": 0},
                           {"min_std": -1}, {"min_std": 1, "track_running_stats": False},
                           {"normalize_by": "running", "renorm": {}}):
            for path, body in ((self.path("l"), {"kind": "batch_norm", **definition}),
                               ("/v1/normalize", {"kind": "batch_norm", **definition, "data": [[1], [2]]})):
                answer = self.ask("PUT" if path != "/v1/normalize" else "POST", path, body, status=400)
                self.assertEqual(answer.code, "bad_parameter", answer)
        for kind in ({"kind": "instance_norm", "track_running_stats": True},
                     {"kind": "layer_norm", "normalized_shape": 2}):
            for field in ({"normalize_by": "running"}, {"min_std": 1}, {"with_mean": True}):
                self.assertEqual(self.ask("PUT", self.path("l"), {**kind, **field}, status=400).code, "bad_parameter")

    def test_what_must_not_poison(self):
        self.put("l", {**RUNNING, "averaging": "pooled"})
        self.send("l", numpy.array([[1.0, 2.0]]))
        for body, code, status in (('{"data":[[1,NaN]]}', "bad_json", 400), ('{"data":[[1]]}', "shape_mismatch", 422),
                                   ('{"datatype":"FP64","data":[[1e200,1],[-1e200,1]]}', "non_finite_input", 422),
                                   ('{"datatype":"FP64","data":[[1e200,1]]}', "non_finite_input", 422)):
            with self.subTest(body):
                self.refused(code, status, "l", "train", body)


class Keys(RunningTest):
    def test_a_repeat_is_normalized_by_the_statistics_as_they_are_now(self):
        self.put("l", {**RUNNING, "averaging": "pooled"})
        key, x = {"Idempotency-Key": "a"}, numpy.array([[1.0, 2.0], [3.0, 8.0]])
        first = self.send("l", x, headers=key)
        self.assertEqual(self.send("l", x, headers=key).raw, first.raw)
        self.send("l", x * 3)
        before = self.state("l")
        again = self.send("l", x, headers=key)
        self.assertEqual((again.json["num_batches_tracked"], again.json["revision"], again.headers["etag"]),
                         (2, 2, '"2"'))
        self.assertEqual(self.array(again).tolist(), self.infer("l", x).tolist())
        self.assertEqual(self.state("l"), before)
        told = self.ask("POST", self.path("l", "train"), tensor(x * 2), key, 422)
        self.assertEqual(told.code, "idempotency_mismatch")
        silent = self.send("l", x, query="?output=false", headers={"Idempotency-Key": "b"})
        self.send("l", x)
        self.assertEqual(self.send("l", x, query="?output=false", headers={"Idempotency-Key": "b"}).raw, silent.raw)

    def test_a_repeat_after_a_reset_and_where_it_overflows_now(self):
        self.put("l", {**RUNNING, "averaging": "pooled"})
        key, x = {"Idempotency-Key": "a"}, numpy.array([[1.0, 2.0], [3.0, 8.0]])
        self.send("l", x, "FP16", headers=key)
        self.ask("PUT", self.path("l", "parameters"), {"weight": [1, 60000]})
        told = self.refused("non_finite_input", 422, "l", "train", tensor(x * 2, "FP16"))
        self.assertIn("channel 1", told["detail"])
        self.ask("DELETE", self.path("l", "statistics"))
        self.assertEqual(self.ask("POST", self.path("l", "train"), tensor(x, "FP16"), key, 409).code, "not_trained")

    def test_a_repeat_after_a_kill(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        path, key, body = self.path("l"), {"Idempotency-Key": "a"}, tensor(numpy.array([[1.0, 2.0]]))
        daemon.curl("PUT", path, {**RUNNING, "averaging": "pooled"})
        first = daemon.curl("POST", path + "/train", body, key)
        for more in range(2):
            daemon.kill()
            daemon.start()
            again = daemon.curl("POST", path + "/train", body, key)
            if more == 0:
                self.assertEqual(again.raw, first.raw)
            self.assertEqual(again.json["num_batches_tracked"], 1 + more)
            self.assertEqual(again.json["data"], daemon.curl("POST", path + "/infer", body).json["data"])
            daemon.curl("POST", path + "/train", tensor(numpy.array([[5.0, 7.0]])))


class Together(RunningTest):
    THREADS, CALLS, FEATURES = 16, 40, 3

    def run_all(self, layer, bodies, query=lambda i: ""):
        """All bodies of each thread in order, on a connection of its own; their answers."""
        def work(i, mine):
            client = self.daemon.client()
            try:
                return [client.request("POST", self.path(layer, "train") + query(i), body) for body in mine]
            finally:
                client.close()

        return at_once([partial(work, i, mine) for i, mine in enumerate(bodies)])

    def check_replay(self, layer, name, batch=2, **more):
        """The batches in the order of their revisions, by the formulas: each answer is by the state of its own."""
        data = RANDOM.standard_normal((self.THREADS, self.CALLS, batch, self.FEATURES)) * 3 + 5
        answers = self.run_all(layer, [[tensor(x) for x in mine] for mine in data], **more)
        by_revision = {}
        for mine, told in zip(data, answers):
            for x, answer in zip(mine, told):
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(answer.json["revision"], answer.json["num_batches_tracked"])
                by_revision[answer.json["revision"]] = x, self.array(answer)
        self.assertEqual(sorted(by_revision), list(range(1, self.THREADS * self.CALLS + 1)))
        formulas = Formulas(name, self.FEATURES)
        for revision in sorted(by_revision):
            x, y = by_revision[revision]
            formulas.update(x)
            self.assertNear(y, formulas.normalize(x), 1e-10)

    def test_every_answer_belongs_to_the_revision_that_it_reports(self):
        for name, (definition, _) in AVERAGINGS.items():
            with self.subTest(name):
                self.put(name, {**RUNNING, **definition, "num_features": self.FEATURES})
                self.check_replay(name, name)

    def test_sources_one_value_at_a_time(self):
        """Each thread is a source of its own; the state is the pool of all."""
        self.put("l", {**RUNNING, "averaging": "pooled", "num_features": self.FEATURES})
        self.check_replay("l", "pooled", batch=1, query=lambda i: f"?source=w{i}")

    def test_refused_batches_leave_no_trace_amid_the_others(self):
        """Every third batch overflows FP16; those beside it in the same commit do not notice."""
        fine, bad = numpy.array([[0.5, 1.0]]), numpy.array([[3000.0, 1.0]])
        bodies = [[tensor(bad if (i + k) % 3 == 0 else fine, "FP16") for k in range(self.CALLS)]
                  for i in range(self.THREADS)]
        for layer, query in (("plain", lambda i: ""), ("sources", lambda i: f"?source=w{i % 5}")):
            self.put(layer, {**RUNNING, "averaging": "pooled", "num_features": 2})
            self.ask("PUT", self.path(layer, "statistics"),
                     {"running_mean": [0, 0], "running_var": [1e-4, 1], "num_batches_tracked": 0, "count": 10**15})
            statuses = [a.status for told in self.run_all(layer, bodies, query) for a in told]
            self.assertEqual(set(statuses), {200, 422})
            told = self.ask("GET", self.path(layer, "statistics")).json
            done = statuses.count(200)
            self.assertEqual((told["num_batches_tracked"], told["count"]), (done, 10**15 + done))
            self.assertLess(told["running_mean"]["data"][0], 1e-6)


if __name__ == "__main__":
    unittest.main()
