# SPDX-License-Identifier: MIT
"""All kinds over HTTP, in JSON and .npy: their formulas, parameters, shapes, and refusals."""

import json
import math
import unittest

import numpy

import npy
from kinds import KINDS, TRACKING, KindTest, by_own_statistics, parameters, tensor

RANDOM = numpy.random.default_rng(6)


class Kinds(KindTest):
    def test_every_kind_by_its_own_statistics(self):
        """In training, in inference where nothing is tracked, and without a layer; as JSON and as .npy."""
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                x = RANDOM.standard_normal(shape) * 3 + 1
                weight, bias, spread_weight, spread_bias = parameters(name, x)
                given = {"weight": weight.tolist(), **({} if name == "rms_norm" else {"bias": bias.tolist()})}
                expected = by_own_statistics(name, x, spread_weight, spread_bias)
                self.put(name, definition)
                self.ask("PUT", self.path(name, "parameters"), given)
                self.assertNear(self.trained(name, x), expected)
                self.assertEqual(npy.load(self.post_npy(self.path(name, "train"), x).raw).tolist(),
                                 self.trained(name, x).tolist())
                once = self.normalize_once(definition, x, **given)
                self.assertNear(once, expected)
                if name not in TRACKING:
                    self.assertEqual(self.infer(name, x).tolist(), once)
                    self.assertEqual(npy.load(self.post_npy(self.path(name, "infer"), x).raw).tolist(), once)

    def test_every_datatype(self):
        """Computed in double, rounded once: the float64 answer of the same values, rounded."""
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            for dtype in ("<f2", "<f4"):
                x = (RANDOM.standard_normal(shape) + 0.5).astype(dtype)
                y = npy.load(self.post_npy(self.path(name, "train"), x).raw)
                self.assertEqual(y.dtype, numpy.dtype(dtype))
                exact = self.trained(name, x.astype("<f8"))
                self.assertTrue((y == exact.astype(dtype)).all(), name)

    def test_kinds_without_statistics_keep_none(self):
        for name, (definition, shape) in KINDS.items():
            if name in TRACKING:
                continue
            self.put(name, definition)
            answer = self.train(name, RANDOM.standard_normal(shape)).json
            self.assertEqual((answer["num_batches_tracked"], answer["revision"]), (0, 0))
            only = self.train(name, RANDOM.standard_normal(shape), output=False)
            self.assertEqual(only.json, {"num_batches_tracked": 0, "revision": 0})
            for method, call in (("GET", "statistics"), ("DELETE", "statistics"), ("GET", "affine")):
                self.assertEqual(self.ask(method, self.path(name, call), status=400).code, "bad_parameter")
            self.refused("bad_parameter", 400, name, "statistics/merge", {"count": 2, "mean": [0] * 6, "var": [1] * 6})
            put = {"running_mean": [0] * 6, "running_var": [1] * 6}
            self.assertEqual(self.ask("PUT", self.path(name, "statistics"), put, status=400).code, "bad_parameter")

    def test_parameters_of_every_kind(self):
        for name, (definition, shape) in KINDS.items():
            self.put(name,
                     {**definition, **({"num_features": 6} if "instance" in name or name == "batch_norm" else {})})
            shown = self.ask("GET", self.path(name, "parameters")).json
            ones = numpy.ones(shape[1:] if name in ("layer_norm", "rms_norm") else 6)
            self.assertEqual(shown,
                             {"weight": ones.tolist(), "bias": None if name == "rms_norm" else (ones * 0).tolist()})
        self.assertEqual(self.client.request("PUT", self.path("rms_norm", "parameters"), {"bias": [0] * 24}).code,
                         "bad_parameter")
        self.put("plain", {"kind": "instance_norm", "num_features": 6})
        self.assertEqual(self.ask("GET", self.path("plain", "parameters")).json, {"weight": None, "bias": None})
        self.assertEqual(self.client.request("PUT", self.path("plain", "parameters"), {"weight": [1] * 6}).code,
                         "bad_parameter")
        for count in (5, 7):
            answer = self.client.request("PUT", self.path("group_norm", "parameters"), {"weight": [1] * count})
            self.assertEqual((answer.status, answer.code), (422, "shape_mismatch"))

    def test_eps_null_of_rms_is_the_datatype_s(self):
        self.put("rms", {"kind": "rms_norm", "normalized_shape": 2, "eps": None})
        tiny = 2.0**-12
        for dtype, epsilon in (("<f8", 2.0**-52), ("<f4", 2.0**-23), ("<f2", 2.0**-10)):
            x = numpy.array([[tiny, -tiny]]).astype(dtype)
            y = npy.load(self.post_npy(self.path("rms", "infer"), x).raw)
            self.assertEqual(y.tolist(), (x.astype("<f8") / math.sqrt(tiny * tiny + epsilon)).astype(dtype).tolist())
        bits = npy.bfloat16_from(numpy.array([[tiny, -tiny]])).view("V2")
        y = npy.bfloat16_values(npy.load(self.post_npy(self.path("rms", "infer"), bits).raw).view("<u2"))
        exact = numpy.array([[tiny, -tiny]]) / math.sqrt(tiny * tiny + 2.0**-7)
        expected = npy.bfloat16_values(npy.bfloat16_from(exact))
        self.assertEqual(y.tolist(), expected.tolist())

    def test_eps_null_of_rms_is_that_eps_in_every_call(self):
        """With and without padding, and for values so small that eps dominates the divisor."""
        x, g = RANDOM.standard_normal((2, 3, 4)) * 2.0**-12, RANDOM.standard_normal((2, 3, 4))
        for datatype, epsilon in (("FP64", 2.0**-52), ("FP32", 2.0**-23), ("FP16", 2.0**-10)):
            for layer, eps in (("null", None), ("number", epsilon)):
                self.put(f"{layer}.{datatype}", {"kind": "rms_norm", "normalized_shape": 4, "eps": eps})
            for padding in ({}, {"lengths": [3, 1]}):
                for call, body in (("train", tensor(x, datatype, **padding)), ("infer", tensor(x, datatype, **padding)),
                                   ("backward", {"input": tensor(x, datatype), "grad_output": tensor(g, datatype),
                                                 **padding})):
                    answers = [self.ask("POST", self.path(f"{layer}.{datatype}", call), body).json
                               for layer in ("null", "number")]
                    self.assertEqual(*answers, (datatype, call, padding))

    def test_what_the_kinds_are_to_each_other(self):
        x = RANDOM.standard_normal((3, 4, 5))
        once = lambda **definition: self.normalize_once(definition, x)
        group = lambda groups: once(kind="group_norm", num_groups=groups, num_channels=4)
        self.assertEqual(once(kind="instance_norm"), group(4))
        self.assertEqual(once(kind="layer_norm", normalized_shape=[4, 5]), group(1))
        x = numpy.concatenate((x, -x), 2)
        layer = numpy.array(once(kind="layer_norm", normalized_shape=[4, 10]))
        self.assertNear(once(kind="rms_norm", normalized_shape=[4, 10]), layer, 1e-14)

    def test_empty_batches(self):
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            before = self.state(name)
            for empty in ((0, *shape[1:]),) if "layer" in name or "rms" in name else ((0, *shape[1:]), (*shape[:2], 0)):
                for path in (self.path(name, "train"), self.path(name, "infer"),
                             self.path(name, "train") + "?output=true"):
                    answer = self.ask("POST", path, {"shape": empty, "data": []}).json
                    self.assertEqual((answer["shape"], answer["data"]), (list(empty), []))
                once = self.ask("POST", "/v1/normalize", {"definition": definition, "shape": empty, "data": []}).json
                self.assertEqual(once["data"], [])
            self.assertEqual(self.state(name), before)

    def test_one_sample(self):
        """One sample is enough for every kind, unless a mean would be of one value."""
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            x = RANDOM.standard_normal((1, *shape[1:]))
            ones, zeros = numpy.ones(x.size), numpy.zeros(x.size)
            self.assertNear(self.trained(name, x), by_own_statistics(name, x, ones, zeros))

    def test_shapes_that_do_not_fit(self):
        for name, shapes in {
            "batch_norm": ([6], [2, 5], [2, 6, 1, 1, 1, 1]),
            "instance_norm": ([6], [2, 6], [2, 5, 3], [2, 6, 1, 1, 1, 2]),
            "tracking_instance_norm": ([6], [2, 6], [2, 5, 3], [2, 6, 1, 1, 1, 2]),
            "group_norm": ([6], [2, 5], [2, 3, 6]),
            "layer_norm": ([24], [6], [6, 5], [2, 4, 6]),
            "rms_norm": ([24], [6], [6, 5], [2, 4, 6]),
        }.items():
            self.put(name,
                     {**KINDS[name][0], **({"num_features": 6} if "instance" in name or name == "batch_norm" else {})})
            for shape in shapes:
                body = {"shape": shape, "data": list(range(math.prod(shape)))}
                for call in ("train", "infer"):
                    answer = self.refused("shape_mismatch", 422, name, call, body)
                    self.assertTrue(answer["expected"])
                    self.assertEqual(answer["actual"].replace(" ", ""), str(shape).replace(" ", ""))

    def test_what_is_not_finite(self):
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            good = RANDOM.standard_normal(shape)
            self.train(name, good)
            for bad in (math.nan, math.inf, -math.inf):
                x = good.copy()
                x[1, 2, 3] = bad
                for dtype in ("<f2", "<f4", "<f8"):
                    self.refused("non_finite_input", 422, name, "train", npy.save(x.astype(dtype)),
                                 {"Content-Type": npy.TYPE})
            x[1, 2, 3] = 1e200  # whose square overflows
            self.refused("non_finite_input", 422, name, "train", npy.save(x), {"Content-Type": npy.TYPE})
            self.refused("bad_json", 400, name, "train", json.dumps({"data": [[[1, math.nan]]]}))
            self.refused("bad_tensor", 400, name, "infer", '{"data":[[[1,1e39]]]}')

    def test_inference_by_the_batch_s_own_statistics_is_what_training_answered(self):
        self.put("bn", {"kind": "batch_norm", "momentum": 1, "unbiased_running_var": False})
        x = RANDOM.standard_normal((9, 4, 3))
        self.assertEqual(self.trained("bn", x).tolist(), self.infer("bn", x).tolist())


if __name__ == "__main__":
    unittest.main()
