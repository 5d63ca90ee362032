"""The kinds beside batch and layer normalization, and the options of all: what they mean over HTTP, in JSON and as .npy."""

import json
import math
import sqlite3
import unittest

import numpy

import npy
from normd import ClientTest
from reference import moments, normalized

RANDOM = numpy.random.default_rng(5)

# A definition of each kind for (N, 6, ...) tensors, and a shape that it takes.
KINDS = {
    "batch_norm": ({"kind": "batch_norm"}, (5, 6, 4)),
    "layer_norm": ({"kind": "layer_norm", "normalized_shape": [6, 4]}, (5, 6, 4)),
    "instance_norm": ({"kind": "instance_norm", "affine": True}, (5, 6, 4)),
    "tracking_instance_norm": ({"kind": "instance_norm", "affine": True, "track_running_stats": True}, (5, 6, 4)),
    "group_norm": ({"kind": "group_norm", "num_groups": 3, "num_channels": 6}, (5, 6, 4)),
    "rms_norm": ({"kind": "rms_norm", "normalized_shape": [6, 4]}, (5, 6, 4)),
}
# Fields that earlier versions did not have.
NEW = ("virtual_batch_size", "shuffle", "renorm", "clip")
TRACKING = ("batch_norm", "tracking_instance_norm")


def slices(kind, x, groups=3):
    """The index arrays of the values that share a mean and a variance."""
    places = numpy.arange(x.size).reshape(x.shape)
    if kind == "batch_norm":
        return [places[:, c].ravel() for c in range(x.shape[1])]
    if kind in ("layer_norm", "rms_norm"):
        return [sample.ravel() for sample in places]
    cut = x.shape[1] if "instance" in kind else groups
    return [part.ravel() for sample in places for part in numpy.split(sample, cut)]


def parameters(kind, x):
    """Weight and bias as the layer has them, and spread over the tensor."""
    shape = x.shape[1:] if kind in ("layer_norm", "rms_norm") else x.shape[1:2]
    weight, bias = RANDOM.integers(-64, 64, shape) / 16, RANDOM.integers(-64, 64, shape) / 16
    if kind == "rms_norm":
        bias = bias * 0
    spread = lambda v: numpy.broadcast_to(v.reshape(v.shape + (1,) * (x.ndim - 1 - v.ndim)), x.shape).ravel()
    return weight, bias, spread(weight), spread(bias)


def by_own_statistics(kind, x, weight, bias, eps=1e-5):
    """Each slice by its exact mean and variance; RMS by its mean square."""
    flat, y = x.ravel().tolist(), [0.0] * x.size
    for places in slices(kind, x):
        mean, var = moments([flat[i] for i in places])
        if kind == "rms_norm":
            mean, var = 0, var + mean * mean
        for i in places:
            y[i] = normalized(flat[i], mean, var, eps, float(weight[i]), float(bias[i]))
    return numpy.array(y).reshape(x.shape)


def tensor(x, datatype="FP64", **members):
    """It, in a body that says more by its members."""
    return {"shape": list(x.shape), "datatype": datatype, "data": x.ravel().tolist(), **members}


class KindTest(ClientTest):
    def put(self, layer, definition):
        return self.ask("PUT", self.path(layer), definition, status=201).json

    def train(self, layer, x, query="", headers=None, **members):
        return self.ask("POST", self.path(layer, "train") + query, {"datatype": "FP64", "data": x.tolist(), **members}, headers)

    def infer(self, layer, x, query="", datatype="FP64"):
        answer = self.ask("POST", self.path(layer, "infer") + query, {"datatype": datatype, "data": x.tolist()})
        return numpy.array(answer.json["data"])

    def trained(self, layer, x, **members):
        return numpy.array(self.train(layer, x, **members).json["data"])

    def normalize_once(self, definition, x, **given):
        body = {"definition": definition, "tensor": {"datatype": "FP64", "data": x.tolist()}, **given}
        return self.ask("POST", "/v1/normalize", body).json["data"]

    def post_npy(self, path, x, headers=None):
        return self.ask("POST", path, npy.save(x), {"Content-Type": npy.TYPE, **(headers or {})})

    def state(self, layer):
        """All that a refused request must leave alone."""
        answers = [self.client.request("GET", self.path(layer, *call)) for call in ((), ("statistics",), ("parameters",))]
        return [(a.status, a.headers.get("etag"), a.raw if a.status == 200 else a.code) for a in answers]

    def refused(self, code, status, layer, call, body, headers=None):
        before = self.state(layer)
        answer = self.ask("POST", self.path(layer, call) if layer else call, body, headers, status)
        self.assertEqual((answer.code, answer.headers["content-type"]), (code, "application/problem+json"), answer)
        self.assertEqual(self.state(layer), before)
        return answer.json

    def assertNear(self, actual, expected, atol=1e-12):
        self.assertEqual(numpy.shape(actual), numpy.shape(expected))
        self.assertLessEqual(numpy.abs(numpy.asarray(actual, "<f8") - expected).max(initial=0), atol)


class Kinds(KindTest):
    def test_every_kind_by_its_own_statistics(self):
        """In training, in inference where nothing is tracked, and without a layer; as JSON and as .npy."""
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                x = RANDOM.standard_normal(shape) * 3 + 1
                weight, bias, spread_weight, spread_bias = parameters(name, x)
                given = {"weight": weight.tolist()} if name == "rms_norm" else {"weight": weight.tolist(), "bias": bias.tolist()}
                expected = by_own_statistics(name, x, spread_weight, spread_bias)
                self.put(name, definition)
                self.ask("PUT", self.path(name, "parameters"), given)
                self.assertNear(self.trained(name, x), expected)
                self.assertEqual(npy.load(self.post_npy(self.path(name, "train"), x).raw).tolist(), self.trained(name, x).tolist())
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
            self.put(name, {**definition, **({"num_features": 6} if "instance" in name or name == "batch_norm" else {})})
            shown = self.ask("GET", self.path(name, "parameters")).json
            ones = numpy.ones(shape[1:] if name in ("layer_norm", "rms_norm") else 6)
            self.assertEqual(shown, {"weight": ones.tolist(), "bias": None if name == "rms_norm" else (ones * 0).tolist()})
        self.assertEqual(self.client.request("PUT", self.path("rms_norm", "parameters"), {"bias": [0] * 24}).code, "bad_parameter")
        self.put("plain", {"kind": "instance_norm", "num_features": 6})
        self.assertEqual(self.ask("GET", self.path("plain", "parameters")).json, {"weight": None, "bias": None})
        self.assertEqual(self.client.request("PUT", self.path("plain", "parameters"), {"weight": [1] * 6}).code, "bad_parameter")
        for count in (5, 7):
            answer = self.client.request("PUT", self.path("group_norm", "parameters"), {"weight": [1] * count})
            self.assertEqual((answer.status, answer.code), (422, "shape_mismatch"))

    def test_instance_statistics_are_the_averages_of_the_instances(self):
        """Momentum weighs the mean over samples of each channel's moments; the variance is unbiased over positions."""
        self.put("in", {"kind": "instance_norm", "track_running_stats": True, "momentum": 0.25})
        mean, var = numpy.zeros(3), numpy.ones(3)
        for step, shape in enumerate(((4, 3, 5), (1, 3, 2), (2, 3, 2, 4)), 1):
            x = RANDOM.standard_normal(shape) * 2 + 3
            spatial = tuple(range(2, x.ndim))
            mean = 0.75 * mean + 0.25 * x.mean(spatial).mean(0)
            var = 0.75 * var + 0.25 * x.var(spatial, ddof=1).mean(0)
            answer = self.train("in", x).json
            self.assertEqual((answer["num_batches_tracked"], answer["revision"]), (step, step))
            statistics = self.ask("GET", self.path("in", "statistics")).json
            self.assertNear(statistics["running_mean"]["data"], mean, 1e-13)
            self.assertNear(statistics["running_var"]["data"], var, 1e-13)
        x = RANDOM.standard_normal((2, 3, 1))
        self.assertNear(self.infer("in", x), (x - mean.reshape(3, 1)) / numpy.sqrt(var.reshape(3, 1) + 1e-5))
        folded = self.ask("GET", self.path("in", "affine")).json
        self.assertNear(folded["scale"], 1 / numpy.sqrt(var + 1e-5))
        merged = self.ask("POST", self.path("in", "statistics", "merge"), {"count": 5, "mean": [1, 2, 3], "var": [1, 1, 1]}).json
        self.assertEqual(merged["num_batches_tracked"], 4)

    def test_a_tracking_instance_norm_needs_training_first(self):
        self.put("in", KINDS["tracking_instance_norm"][0])
        self.refused("not_trained", 409, "in", "infer", {"data": [[[1, 2]]]})
        self.ask("PUT", self.path("in", "statistics"), {"running_mean": [1], "running_var": [4]})
        self.assertNear(self.infer("in", numpy.array([[[1.0, 3.0]]])), [[[0, 2 / math.sqrt(4 + 1e-5)]]])

    def test_instance_momentum_null_is_cumulative(self):
        self.assertIsNone(self.put("in", {"kind": "instance_norm", "track_running_stats": True, "momentum": None})["momentum"])
        batches = [RANDOM.standard_normal((2, 2, 4)) for _ in range(3)]
        for x in batches:
            self.train("in", x)
        statistics = self.ask("GET", self.path("in", "statistics")).json
        self.assertNear(statistics["running_mean"]["data"], sum(x.mean((0, 2)) for x in batches) / 3, 1e-14)

    def test_conventions_of_a_tracking_instance_norm(self):
        """The batch 1, 5 has mean 3, variance 4 (biased) or 8; all the numbers are exact in binary."""
        for convention, mean, var in (("pytorch", 2.25, 6.25), ("keras", 0.75, 1.75), ("flax", 0.75, 1.75), ("onnx", 0.75, 1.75)):
            self.put(convention, {"kind": "instance_norm", "track_running_stats": True, "convention": convention, "momentum": 0.75})
            self.train(convention, numpy.array([[[1.0, 5.0]]]))
            statistics = self.ask("GET", self.path(convention, "statistics")).json
            self.assertEqual((statistics["running_mean"]["data"], statistics["running_var"]["data"]), ([mean], [var]))

    def test_eps_null_of_rms_is_the_datatype_s(self):
        self.put("rms", {"kind": "rms_norm", "normalized_shape": 2, "eps": None})
        tiny = 2.0**-12
        for dtype, epsilon in (("<f8", 2.0**-52), ("<f4", 2.0**-23), ("<f2", 2.0**-10)):
            x = numpy.array([[tiny, -tiny]]).astype(dtype)
            y = npy.load(self.post_npy(self.path("rms", "infer"), x).raw)
            self.assertEqual(y.tolist(), (x.astype("<f8") / math.sqrt(tiny * tiny + epsilon)).astype(dtype).tolist())
        bits = npy.bfloat16_from(numpy.array([[tiny, -tiny]])).view("V2")
        y = npy.bfloat16_values(npy.load(self.post_npy(self.path("rms", "infer"), bits).raw).view("<u2"))
        expected = npy.bfloat16_values(npy.bfloat16_from(numpy.array([[tiny, -tiny]]) / math.sqrt(tiny * tiny + 2.0**-7)))
        self.assertEqual(y.tolist(), expected.tolist())

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
                for path in (self.path(name, "train"), self.path(name, "infer"), self.path(name, "train") + "?output=true"):
                    answer = self.ask("POST", path, {"shape": empty, "data": []}).json
                    self.assertEqual((answer["shape"], answer["data"]), (list(empty), []))
                once = self.ask("POST", "/v1/normalize", {"definition": definition, "shape": empty, "data": []}).json
                self.assertEqual(once["data"], [])
            self.assertEqual(self.state(name), before)

    def test_one_sample(self):
        """Enough for every kind but where a mean would be of one value."""
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            x = RANDOM.standard_normal((1, *shape[1:]))
            ones, zeros = numpy.ones(x.size), numpy.zeros(x.size)
            self.assertNear(self.trained(name, x), by_own_statistics(name, x, ones, zeros))

    def test_shapes_that_do_not_fit(self):
        for name, shapes in {
            "batch_norm": ([6], [1] * 6),
            "instance_norm": ([6], [2, 6], [2, 5, 3], [1] * 6),
            "tracking_instance_norm": ([6], [2, 6], [2, 5, 3], [1] * 6),
            "group_norm": ([6], [2, 5], [2, 3, 6]),
            "layer_norm": ([24], [6], [6, 5], [2, 4, 6]),
            "rms_norm": ([24], [6], [6, 5], [2, 4, 6]),
        }.items():
            self.put(name, {**KINDS[name][0], **({"num_features": 6} if "instance" in name or name == "batch_norm" else {})})
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
                    self.refused("non_finite_input", 422, name, "train", npy.save(x.astype(dtype)), {"Content-Type": npy.TYPE})
            x[1, 2, 3] = 1e200  # whose square overflows
            self.refused("non_finite_input", 422, name, "train", npy.save(x), {"Content-Type": npy.TYPE})
            self.refused("bad_json", 400, name, "train", json.dumps({"data": [[[1, math.nan]]]}))
            self.refused("bad_tensor", 400, name, "infer", '{"data":[[[1,1e39]]]}')

    def test_fields_that_are_out_of_range_are_named_with_their_limits(self):
        for definition, words in (
            ({"kind": "group_norm", "num_groups": 4, "num_channels": 6}, ('"num_channels"', '"num_groups"', "6", "4")),
            ({"kind": "group_norm", "num_groups": 7, "num_channels": 6}, ('"num_channels"', "multiple")),
            ({"kind": "group_norm", "num_groups": 2**41, "num_channels": 6}, ('"num_groups"', "1 to 2^40")),
            ({"kind": "group_norm", "num_groups": 1, "num_channels": 0}, ('"num_channels"', "1 to 2^40")),
            ({"kind": "group_norm", "num_groups": 1, "num_channels": 6, "eps": -1}, ('"eps"', "0 to 1e+30")),
            ({"kind": "instance_norm", "momentum": 1.5}, ('"momentum"', "0 to 1")),
            ({"kind": "instance_norm", "num_features": 2**41}, ('"num_features"', "1 to 2^40")),
            ({"kind": "rms_norm", "normalized_shape": [2, 0]}, ('"normalized_shape"', "1 to 2^40")),
            ({"kind": "rms_norm", "normalized_shape": 2, "eps": 1e31}, ('"eps"', "0 to 1e+30")),
            ({"kind": "batch_norm", "virtual_batch_size": -1}, ('"virtual_batch_size"', "1 to 2^40")),
            ({"kind": "batch_norm", "renorm": {"r_max": 0.99}}, ('"renorm.r_max"', "1 to 1e+30")),
            ({"kind": "batch_norm", "renorm": {"d_max": -0.1}}, ('"renorm.d_max"', "0 to 1e+30")),
            ({"kind": "batch_norm", "renorm": {"r_max": None}}, ('"renorm.r_max"', "null")),
            ({"kind": "layer_norm", "normalized_shape": 2, "clip": 0}, ('"clip"', "1e-30 to 1e+30")),
            ({"kind": "rms_norm", "normalized_shape": 2, "clip": True}, ('"clip"', "number")),
        ):
            for method, path in (("PUT", self.path("bad")), ("POST", "/v1/normalize")):
                body = definition if method == "PUT" else {"definition": definition, "data": [[1, 2]]}
                answer = self.ask(method, path, body, status=400)
                self.assertEqual(answer.code, "bad_parameter")
                for word in words:
                    self.assertIn(word, answer.json["detail"], definition)
        self.ask("GET", self.path("bad"), status=404)


class Options(KindTest):
    def test_clip(self):
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            self.put(name + ".clip", {**definition, "clip": 0.5})
            x = RANDOM.standard_normal(shape) * 2
            for dtype in ("<f2", "<f4", "<f8"):
                for call in ("train", "infer"):
                    open_, limited = (npy.load(self.post_npy(self.path(layer, call), x.astype(dtype)).raw)
                                      for layer in (name, name + ".clip"))
                    self.assertGreater(numpy.abs(open_).max(), 0.5)
                    self.assertEqual(limited.tolist(), numpy.clip(open_, -0.5, 0.5).tolist())
            self.assertEqual(numpy.abs(self.normalize_once({**definition, "clip": 0.5}, x)).max(), 0.5)

    def test_clip_touches_the_answer_alone(self):
        x = RANDOM.standard_normal((6, 3))
        for name, definition in (("open", {}), ("clip", {"clip": 0.1})):
            self.put(name, {"kind": "batch_norm", **definition})
            self.train(name, x)
        self.assertEqual(*(self.ask("GET", self.path(name, "statistics")).raw for name in ("open", "clip")))

    def test_clip_does_not_hide_what_does_not_fit(self):
        """An infinity is refused, not limited: it may be the end of a sum that means nothing."""
        self.put("bn", {"kind": "batch_norm", "clip": 10})
        body = {"datatype": "FP16", "data": [[1], [2], [4]]}
        self.ask("POST", self.path("bn", "train"), body)
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1e6]})
        for call in ("train", "infer"):
            self.refused("non_finite_input", 422, "bn", call, body)

    def test_inverse(self):
        for name in TRACKING:
            definition, shape = KINDS[name]
            self.put(name, {**definition, "clip": 0.01})
            x = RANDOM.standard_normal(shape) * 5 + 7
            self.train(name, x)
            self.ask("PUT", self.path(name, "parameters"), {"weight": [1, -2, 0.5, 3, 1e-3, 7], "bias": [0, 1, 2, -3, 4, 5]})
            before = self.state(name)
            s, p = (self.ask("GET", self.path(name, call)).json for call in ("statistics", "parameters"))
            column = lambda v: numpy.array(v).reshape(6, 1)
            mean, var = column(s["running_mean"]["data"]), column(s["running_var"]["data"])
            y = (x - mean) / numpy.sqrt(var + 1e-5) * column(p["weight"]) + column(p["bias"])
            self.assertNear(self.infer(name, y, "?inverse=true"), x, 1e-11)
            self.assertNear(npy.load(self.post_npy(self.path(name, "infer") + "?inverse=true", y).raw), x, 1e-11)
            self.assertEqual(self.state(name), before)

    def test_inverse_goes_round(self):
        self.put("bn", {"kind": "batch_norm"})
        x = RANDOM.standard_normal((7, 3)) * 100 - 3
        self.train("bn", x)
        self.assertNear(self.infer("bn", self.infer("bn", x), "?inverse=true"), x, 1e-12)
        self.assertEqual(self.infer("bn", x, "?inverse=false").tolist(), self.infer("bn", x).tolist())
        self.assertNear(self.infer("bn", self.infer("bn", x, "?inverse=1"), ""), x, 1e-12)

    def test_inverse_that_is_refused(self):
        self.put("bn", {"kind": "batch_norm"})
        self.refused("not_trained", 409, "bn", "infer?inverse=true", {"data": [[1, 2]]})
        self.train("bn", RANDOM.standard_normal((7, 2)))
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1, 0]})
        self.assertIn("channel 1", self.refused("bad_parameter", 400, "bn", "infer?inverse=true", {"data": [[1, 2]]})["detail"])
        for bad in ("yes", "2", "TRUE"):
            self.refused("bad_parameter", 400, "bn", "infer?inverse=" + bad, {"data": [[1, 2]]})
        self.refused("bad_parameter", 400, "bn", "train?inverse=true", {"data": [[1, 2], [3, 4]]})
        self.refused("bad_parameter", 400, "bn", "infer", {"data": [[1, 2]], "inverse": True})
        self.put("open", {"kind": "batch_norm", "track_running_stats": False})
        answer = self.refused("bad_parameter", 400, "open", "infer?inverse=true", {"data": [[1, 2], [3, 4]]})
        self.assertIn("running statistics", answer["detail"])
        for name, (definition, shape) in KINDS.items():
            if name not in TRACKING:
                self.put(name, definition)
                self.refused("bad_parameter", 400, name, "infer?inverse=true", {"data": numpy.ones(shape).tolist()})

    def test_inverse_that_does_not_fit_the_datatype(self):
        self.put("bn", {"kind": "batch_norm"})
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [0], "running_var": [1e8]})
        self.assertNear(self.infer("bn", numpy.array([[6.0]]), "?inverse=true", "FP16"), [[6e4]])
        self.refused("non_finite_input", 422, "bn", "infer?inverse=true", {"datatype": "FP16", "data": [[7]]})
        empty = self.ask("POST", self.path("bn", "infer") + "?inverse=true", {"shape": [0, 1], "data": []}).json
        self.assertEqual((empty["shape"], empty["data"]), ([0, 1], []))

    def test_inference_by_the_batch_s_own_statistics_is_what_training_answered(self):
        self.put("bn", {"kind": "batch_norm", "momentum": 1, "unbiased_running_var": False})
        x = RANDOM.standard_normal((9, 4, 3))
        self.assertEqual(self.trained("bn", x).tolist(), self.infer("bn", x).tolist())


class Ghosts(KindTest):
    def in_pieces(self, x, each, layer="one"):
        """The answers of a plain layer to the pieces, one after the other."""
        return numpy.concatenate([self.trained(layer, piece) for piece in numpy.split(x, range(each, len(x), each))])

    def test_a_ghost_batch_is_a_batch_of_its_own(self):
        for averaging in ("exponential", "cumulative", "pooled"):
            definition = {"kind": "batch_norm", "averaging": averaging}
            one, ghosts = averaging, averaging + ".ghosts"
            self.put(one, definition)
            self.put(ghosts, {**definition, "virtual_batch_size": 4})
            tracked = 0
            for revision, (n, each) in enumerate(((8, 4), (11, 4), (5, 3), (3, 3)), 1):
                x = RANDOM.standard_normal((n, 3, 2))
                answer = self.train(ghosts, x).json
                self.assertEqual(answer["data"], self.in_pieces(x, each, one).tolist())
                tracked += math.ceil(n / each)
                self.assertEqual((answer["num_batches_tracked"], answer["revision"]), (tracked, revision))
                one_by_one, at_once = (self.ask("GET", self.path(layer, "statistics")).json for layer in (one, ghosts))
                self.assertEqual({**one_by_one, "revision": revision}, at_once)
        x = RANDOM.standard_normal((2, 3, 2))
        self.assertEqual(self.infer("pooled", x).tolist(), self.infer("pooled.ghosts", x).tolist())

    def test_a_ghost_batch_of_the_whole_batch_is_batch_norm(self):
        x = RANDOM.standard_normal((6, 3))
        self.put("one", {"kind": "batch_norm"})
        expected = self.train("one", x).json
        for size in (6, 7, 2**40):
            self.put(f"g{size}", {"kind": "batch_norm", "virtual_batch_size": size})
            self.assertEqual(self.train(f"g{size}", x).json, expected)

    def test_channels_last_and_update_only(self):
        x = RANDOM.standard_normal((7, 2, 5, 3))
        self.put("first", {"kind": "batch_norm", "virtual_batch_size": 3})
        self.put("last", {"kind": "batch_norm", "virtual_batch_size": 3, "channel_axis": -1})
        first = self.trained("first", numpy.moveaxis(x, -1, 1))
        self.assertNear(numpy.moveaxis(first, 1, -1), self.trained("last", x), 1e-13)
        self.put("only", {"kind": "batch_norm", "virtual_batch_size": 3, "channel_axis": -1})
        self.assertEqual(self.train("only", x, output=False).json, {"num_batches_tracked": 3, "revision": 1})
        self.assertEqual(self.ask("GET", self.path("only", "statistics")).raw, self.ask("GET", self.path("last", "statistics")).raw)

    def test_a_layer_that_does_not_track(self):
        x = RANDOM.standard_normal((8, 3))
        self.put("one", {"kind": "batch_norm", "track_running_stats": False})
        self.put("ghosts", {"kind": "batch_norm", "track_running_stats": False, "virtual_batch_size": 4})
        answer = self.train("ghosts", x).json
        self.assertEqual((answer["num_batches_tracked"], answer["revision"]), (0, 0))
        self.assertEqual(answer["data"], self.in_pieces(x, 4).tolist())
        self.assertEqual(self.infer("ghosts", x).tolist(), self.infer("one", x).tolist(), "inference knows no ghost batches")

    def test_what_is_refused_of_one_ghost_batch_is_refused_of_all(self):
        self.put("bn", {"kind": "batch_norm", "virtual_batch_size": 4})
        self.train("bn", RANDOM.standard_normal((8, 2)))
        x = RANDOM.standard_normal((9, 2))
        # As torch.chunk cuts 13 samples into four: 4, 4, 4 and one that is alone.
        self.refused("too_few_values", 422, "bn", "train", {"data": RANDOM.standard_normal((13, 2)).tolist()})
        x[8, 1], x[7, 1] = 1e200, -1e200  # in the last ghost batch
        self.refused("non_finite_input", 422, "bn", "train", {"datatype": "FP64", "data": x.tolist()})
        self.put("axis0", {"kind": "batch_norm", "virtual_batch_size": 2, "channel_axis": 0})
        self.put("axis-2", {"kind": "batch_norm", "shuffle": True, "channel_axis": -2})
        for layer in ("axis0", "axis-2"):
            self.assertIn("dimension 0", self.refused("shape_mismatch", 422, layer, "train", {"data": [[1, 2], [3, 4]]})["detail"])

    def test_the_stateless_call(self):
        """It cuts as training does; what needs a seed or running statistics needs a layer."""
        x = RANDOM.standard_normal((11, 3, 2))
        self.put("one", {"kind": "batch_norm"})
        expected = self.in_pieces(x, 4).tolist()
        self.assertEqual(self.normalize_once({"kind": "batch_norm", "virtual_batch_size": 4}, x), expected)
        for option in ({"shuffle": True}, {"renorm": {}}):
            answer = self.ask("POST", "/v1/normalize", {"kind": "batch_norm", **option, "data": x.tolist()}, status=400)
            self.assertEqual(answer.code, "bad_parameter")
            self.assertIn(f'"{next(iter(option))}"', answer.json["detail"])
        self.ask("POST", "/v1/normalize", {"kind": "batch_norm", "shuffle": False, "renorm": None, "data": x.tolist()})


class Shuffling(KindTest):
    def setUp(self):
        super().setUp()
        self.x = numpy.random.default_rng(9).standard_normal((10, 3))

    def shuffling(self, layer, **options):
        self.put(layer, {"kind": "batch_norm", "shuffle": True, **options})

    def statistics(self, layer):
        return self.ask("GET", self.path(layer, "statistics")).json

    def test_the_same_seed_gives_the_same(self):
        for layer in ("a", "b"):
            self.shuffling(layer, virtual_batch_size=4)
        for seed in (0, 1, 2**53, 2**64 - 1):
            one, other = (self.train(layer, self.x, seed=seed) for layer in ("a", "b"))
            self.assertEqual((one.raw, one.json["seed"]), (other.raw, seed))
            self.assertEqual(one.headers["normd-seed"], str(seed))
            self.assertEqual(self.statistics("a"), self.statistics("b"))
        self.assertEqual(self.train("a", self.x, "?seed=7").json["data"], self.train("b", self.x, seed=7).json["data"])

    def test_seeds_of_its_own_differ_and_are_told(self):
        self.shuffling("bn")
        seeds = []
        for _ in range(5):
            answer = self.train("bn", self.x).json
            seeds.append(answer["seed"])
            self.assertEqual(self.train("bn", self.x, seed=seeds[-1]).json["data"], answer["data"])
            self.assertLess(seeds[-1], 2**53, "a client that reads numbers as doubles gets it back")
        self.assertEqual(len(set(seeds)), 5)
        self.assertIn("seed", self.train("bn", self.x, output=False).json)

    def test_the_answer_is_in_the_order_of_the_question(self):
        """
        Samples of one ghost batch differ in each feature by the same factor, 1 / deviation, before and after: that finds the two
        halves from the answer alone. Each sample's answer is then its own, by the moments of its half.
        """
        self.shuffling("bn")
        found = set()
        for seed in range(20):
            y = self.trained("bn", self.x, seed=seed)
            together = {}
            for i in range(10):
                for k in range(i):
                    factors = tuple(numpy.round((y[i] - y[k]) / (self.x[i] - self.x[k]), 9))
                    together.setdefault(factors, set()).update((i, k))
            halves = [sorted(members) for members in together.values() if len(members) == 5]
            self.assertEqual(sorted(sum(halves, [])), list(range(10)))
            for half in halves:
                part = self.x[half]
                self.assertNear(y[half], (part - part.mean(0)) / numpy.sqrt(part.var(0) + 1e-5), 1e-13)
            found.add(tuple(halves[0]))
        self.assertGreater(len(found), 10, "seeds shuffle differently")

    def test_npy(self):
        self.shuffling("bn", virtual_batch_size=5)
        answer = self.post_npy(self.path("bn", "train") + "?seed=11", self.x)
        self.assertEqual(answer.headers["normd-seed"], "11")
        self.assertEqual(npy.load(answer.raw).tolist(), self.train("bn", self.x, seed=11).json["data"])
        own = self.post_npy(self.path("bn", "train"), self.x)
        again = self.post_npy(self.path("bn", "train") + "?seed=" + own.headers["normd-seed"], self.x)
        self.assertEqual(again.raw, own.raw)

    def test_a_repeat_under_a_key_shuffles_as_the_first_did(self):
        self.shuffling("bn", virtual_batch_size=4)
        key = {"Idempotency-Key": "k"}
        first = self.train("bn", self.x, headers=key)
        self.train("bn", self.x)
        before = self.statistics("bn")
        self.assertEqual(self.train("bn", self.x, headers=key).raw, first.raw)
        raw = self.post_npy(self.path("bn", "train"), self.x, {"Idempotency-Key": "file"})
        self.assertEqual(self.post_npy(self.path("bn", "train"), self.x, {"Idempotency-Key": "file"}).raw, raw.raw)
        self.assertEqual(self.statistics("bn")["revision"], before["revision"] + 1)

    def test_another_seed_under_a_key_is_another_request(self):
        self.shuffling("bn")
        headers = {"Content-Type": npy.TYPE, "Idempotency-Key": "k"}
        first = self.ask("POST", self.path("bn", "train") + "?seed=1", npy.save(self.x), headers)
        self.assertEqual(self.ask("POST", self.path("bn", "train") + "?seed=1", npy.save(self.x), headers).raw, first.raw)
        for query in ("?seed=2", ""):
            self.refused("idempotency_mismatch", 422, "bn", "train" + query, npy.save(self.x), headers)

    def test_other_lengths_under_a_key_are_another_request(self):
        self.put("plain", {"kind": "batch_norm"})
        x, headers = npy.save(RANDOM.standard_normal((2, 3, 4))), {"Content-Type": npy.TYPE, "Idempotency-Key": "k"}
        first = self.ask("POST", self.path("plain", "train") + "?lengths=4,2", x, headers)
        self.assertEqual(self.ask("POST", self.path("plain", "train") + "?lengths=4,2", x, headers).raw, first.raw)
        for query in ("?lengths=4,3", ""):
            self.refused("idempotency_mismatch", 422, "plain", "train" + query, x, headers)

    def test_one_sample_and_two(self):
        self.shuffling("bn")
        self.assertEqual(self.train("bn", RANDOM.standard_normal((1, 2, 4))).json["num_batches_tracked"], 1)
        self.assertEqual(self.train("bn", RANDOM.standard_normal((2, 2, 4))).json["num_batches_tracked"], 3)
        self.refused("too_few_values", 422, "bn", "train", {"data": [[1, 2], [3, 4]]})

    def test_seeds_that_are_none(self):
        self.shuffling("bn")
        for bad in ("-1", "1.5", "", "x", str(2**64), "0x10", "+1"):
            self.refused("bad_parameter", 400, "bn", "train?seed=" + bad, {"data": [[1], [2], [3], [4]]})
        for bad in (-1, 1.5, "1", None, True, 2**64, [1]):
            self.refused("bad_parameter", 400, "bn", "train", {"data": [[1], [2], [3], [4]], "seed": bad})
        self.refused("bad_parameter", 400, "bn", "train?seed=1", {"data": [[1], [2], [3], [4]], "seed": 1})
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            for query, member in (("?seed=1", {}), ("", {"seed": 1})):
                answer = self.refused("bad_parameter", 400, name, "train" + query, {"data": numpy.ones(shape).tolist(), **member})
                self.assertIn('"seed"', answer["detail"])
        self.refused("bad_parameter", 400, "bn", "infer?seed=1", {"data": [[1]]})
        self.put("plain", {"kind": "batch_norm"})
        answer = self.train("plain", self.x)
        self.assertNotIn("normd-seed", answer.headers)
        self.assertNotIn("seed", answer.json)


class Renorm(KindTest):
    def corrected(self, x, mean, var, r_max, d_max, eps=1e-5):
        batch_mean, deviation = x.mean(0), numpy.sqrt(x.var(0) + eps)
        running = numpy.sqrt(var + eps)
        r = numpy.clip(deviation / running, 1 / r_max, r_max)
        d = numpy.clip((batch_mean - mean) / running, -d_max, d_max)
        return (x - batch_mean) / deviation * r + d

    def test_towards_the_running_statistics(self):
        """Before the first batch these are 0 and 1."""
        self.put("bn", {"kind": "batch_norm", "renorm": {"r_max": 2, "d_max": 0.5}})
        mean, var = numpy.zeros(4), numpy.ones(4)
        for _ in range(4):
            x = RANDOM.standard_normal((7, 4)) * [0.2, 1, 1.5, 6] + [0, 0.3, 1, 9]
            self.assertNear(self.trained("bn", x), self.corrected(x, mean, var, 2, 0.5))
            mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0, ddof=1)
            s = self.ask("GET", self.path("bn", "statistics")).json
            self.assertNear(s["running_mean"]["data"], mean, 1e-13)
            self.assertNear(s["running_var"]["data"], var, 1e-13)

    def test_within_wide_limits_training_sees_what_inference_sees(self):
        self.put("bn", {"kind": "batch_norm", "momentum": 0, "renorm": {"r_max": 1e6, "d_max": 1e6}})
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [3, -1], "running_var": [4, 0.5]})
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [2, -3], "bias": [1, 0]})
        x = RANDOM.standard_normal((5, 2))
        self.assertNear(self.trained("bn", x), self.infer("bn", x), 1e-13)

    def test_without_room_it_is_batch_norm(self):
        x = RANDOM.standard_normal((6, 3))
        self.put("bn", {"kind": "batch_norm"})
        self.put("renorm", {"kind": "batch_norm", "renorm": {"r_max": 1, "d_max": 0}})
        for _ in range(3):
            self.assertEqual(self.train("bn", x).json, self.train("renorm", x).json)

    def test_ghost_batches_are_corrected_towards_the_same_statistics(self):
        self.put("bn", {"kind": "batch_norm", "virtual_batch_size": 3, "renorm": {"r_max": 3, "d_max": 5}})
        mean, var = numpy.zeros(2), numpy.ones(2)
        for _ in range(2):
            x = RANDOM.standard_normal((6, 2)) + 1
            expected = numpy.concatenate([self.corrected(piece, mean, var, 3, 5) for piece in (x[:3], x[3:])])
            self.assertNear(self.trained("bn", x), expected)
            for piece in (x[:3], x[3:]):
                mean, var = 0.9 * mean + 0.1 * piece.mean(0), 0.9 * var + 0.1 * piece.var(0, ddof=1)


    def test_a_correction_that_does_not_fit_the_datatype_stores_nothing(self):
        self.put("bn", {"kind": "batch_norm", "renorm": {"r_max": 1e6, "d_max": 1e6}})
        body = {"datatype": "FP16", "data": [[1000], [-1000], [3000]]}
        self.ask("POST", self.path("bn", "train"), body)
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1e6]})
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [0], "running_var": [1]})
        self.refused("non_finite_input", 422, "bn", "train", body)


class Stored(KindTest):
    def test_every_definition_stands_after_a_restart(self):
        definitions = {f"l{i}": definition for i, definition in enumerate((
            {"kind": "batch_norm", "virtual_batch_size": 3, "shuffle": True, "renorm": {"r_max": 1.5, "d_max": 0.1}, "clip": 2.5},
            {"kind": "instance_norm", "track_running_stats": True, "momentum": None, "clip": 1e-30},
            {"kind": "group_norm", "num_groups": 2, "num_channels": 6, "convention": "keras"},
            {"kind": "rms_norm", "normalized_shape": [2, 3], "eps": None}))}
        shown = {layer: self.put(layer, definition) for layer, definition in definitions.items()}
        self.client.close()
        self.daemon.kill()
        self.daemon.start()
        self.client = self.daemon.client()
        for layer, definition in definitions.items():
            self.assertEqual(self.ask("GET", self.path(layer)).json, shown[layer])
            self.ask("PUT", self.path(layer), definition)
            self.ask("PUT", self.path(layer), shown[layer])
            self.ask("PUT", self.path(layer), {**definition, "eps": 0.5}, status=409)

    def test_definitions_of_before_there_were_these_options(self):
        """What was stored without them means what it meant: the defaults."""
        self.put("bn", {"kind": "batch_norm", "momentum": 0.25})
        self.put("ln", {"kind": "layer_norm", "normalized_shape": [3]})
        self.client.close()
        self.daemon.stop()
        db = sqlite3.connect(self.daemon.store[len("sqlite:"):])
        with db:
            layers = db.execute("SELECT l.id, l.definition FROM layer l JOIN model m ON m.id = l.model_id WHERE m.name = ?",
                                (self.model,)).fetchall()
            self.assertEqual(len(layers), 2)
            for layer, text in layers:
                old = {key: value for key, value in json.loads(text).items() if key not in NEW}
                self.assertLess(len(old), len(json.loads(text)))
                db.execute("UPDATE layer SET definition = ? WHERE id = ?", (json.dumps(old), layer))
        db.close()
        self.daemon.start()
        self.client = self.daemon.client()
        self.ask("PUT", self.path("bn"), {"kind": "batch_norm", "momentum": 0.25})
        self.ask("PUT", self.path("ln"), {"kind": "layer_norm", "normalized_shape": [3], "clip": None})
        self.assertIs(self.ask("GET", self.path("bn")).json["shuffle"], False)
        self.ask("PUT", self.path("bn"), {"kind": "batch_norm", "momentum": 0.25, "clip": 1}, status=409)


if __name__ == "__main__":
    unittest.main()
