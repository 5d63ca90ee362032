# SPDX-License-Identifier: MIT
"""The backward pass over HTTP: every kind in both modes against PyTorch's autograd, in JSON and as .npy;
what is refused; that nothing changes."""

import io
import unittest

import numpy

import npy
from kinds import KINDS, KindTest, array, tensor
from reference import ulp32
from test_vectors import load

CASES = load("backward.json")
GRADIENTS = ("grad_input", "grad_weight", "grad_bias")
RANDOM = numpy.random.default_rng(11)


def given(case):
    """The input and the gradient of the output. Their decimals are float32's:
    read as such, they are exact in float64."""
    return array(case["input"], "<f4").astype("<f8"), array(case["grad_output"], "<f4").astype("<f8")


def load_files(raw):
    """The arrays of concatenated .npy files."""
    stream, arrays = io.BytesIO(raw), []
    while stream.tell() < len(raw):
        arrays.append(numpy.load(stream, allow_pickle=False))
    return arrays


def options(case):
    """The members of a backward call other than the tensors."""
    return {key: case[key] for key in ("mode", "seed", "lengths", "mask") if key in case}


class BackwardTest(KindTest):
    def put_case(self, layer, case):
        self.put(layer, case["definition"])
        parameters = {key: case[key] for key in ("weight", "bias") if case[key] is not None}
        if parameters:
            self.ask("PUT", self.path(layer, "parameters"), parameters)
        if "running_mean" in case:
            statistics = {key: case[key] for key in ("running_mean", "running_var")}
            self.ask("PUT", self.path(layer, "statistics"), {**statistics, "num_batches_tracked": 1})

    def backward(self, layer, x, g, datatype="FP64", **members):
        tensor = lambda a: {"shape": list(numpy.shape(a)), "datatype": datatype, "data": numpy.asarray(a).tolist()}
        return self.ask("POST", self.path(layer, "backward"), {"input": tensor(x), "grad_output": tensor(g), **members})

    def backward_npy(self, layer, x, g, query=""):
        return self.ask("POST", self.path(layer, "backward") + query, npy.save(x) + npy.save(g),
                        {"Content-Type": npy.TYPE})

    def refused_backward(self, code, status, layer, body, query="", headers=None):
        return self.refused(code, status, layer, "backward" + query, body, headers)


class Vectors(BackwardTest):
    def test_autograd_in_float64(self):
        for i, case in enumerate(CASES):
            with self.subTest(case["name"]):
                self.put_case(f"c{i}", case)
                before = self.state(f"c{i}")
                answer = self.backward(f"c{i}", *given(case), **options(case))
                self.assertEqual(list(answer.json), list(GRADIENTS))
                for name in GRADIENTS:
                    expected, actual = array(case[name]), array(answer.json[name])
                    self.assertEqual(expected is None, actual is None, name)
                    if expected is not None:
                        self.assertEqual(answer.json[name]["datatype"], "FP64")
                        self.assertNear(actual, expected, 2e-12 * max(1, numpy.abs(expected).max()))
                self.assertEqual(self.state(f"c{i}"), before)
                self.assertEqual(answer.headers["normd-revision"], before[0][1].strip('"'))

    def test_autograd_in_float32(self):
        """Computed in double and rounded once; the gradients by parameters stay double."""
        for i, case in enumerate(CASES):
            with self.subTest(case["name"]):
                self.put_case(f"c{i}", case)
                answer = self.backward(f"c{i}", *given(case), "FP32", **options(case)).json
                self.assertEqual(answer["grad_input"]["datatype"], "FP32")
                expected = array(case["grad_input"])
                self.assertNear(array(answer["grad_input"]), expected, ulp32(numpy.abs(expected).max()))
                for name in GRADIENTS[1:]:
                    if case[name] is not None:
                        self.assertEqual(answer[name]["datatype"], "FP64")
                        self.assertNear(array(answer[name]), array(case[name]),
                                        2e-12 * max(1, numpy.abs(array(case[name])).max()))

    def test_npy_has_the_bits_of_json(self):
        """Takes two files; gives one for each gradient of the layer."""
        for i, case in enumerate(CASES):
            if "mask" in case:
                continue
            with self.subTest(case["name"]):
                self.put_case(f"c{i}", case)
                x, g = (tensor.astype("<f4") for tensor in given(case))
                said = options(case)
                told = self.backward(f"c{i}", x, g, "FP32", **said).json
                if "lengths" in said:
                    said["lengths"] = ",".join(map(str, said["lengths"]))
                query = "?" + "&".join(f"{key}={value}" for key, value in said.items())
                answer = self.backward_npy(f"c{i}", x, g, query)
                self.assertEqual(answer.headers["content-type"], npy.TYPE)
                arrays = load_files(answer.raw)
                names = [name for name in GRADIENTS if told[name] is not None]
                self.assertEqual([a.dtype.str for a in arrays], ["<f4", "<f8", "<f8"][: len(names)])
                for name, actual in zip(names, arrays, strict=True):
                    self.assertEqual((actual.tolist()), array(told[name], actual.dtype).tolist())

    def test_vectors_cover_every_kind_in_both_modes(self):
        seen = {(case["definition"]["kind"], case["mode"]) for case in CASES}
        wanted = {(kind, mode) for kind in ("batch_norm", "instance_norm", "group_norm", "layer_norm")
                  for mode in ("train", "infer")}
        self.assertLessEqual(wanted | {("rms_norm", "train")}, seen)


class Differences(BackwardTest):
    def test_gradients_are_slopes_of_the_forward_pass(self):
        """The service against itself: central differences of what normalize answers, for every kind."""
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                definition = {key: value for key, value in definition.items() if key != "track_running_stats"}
                x, g = RANDOM.standard_normal(shape), RANDOM.standard_normal(shape)
                self.put(name, definition)
                gradient = array(self.backward(name, x, g).json["grad_input"])
                loss = lambda x: (numpy.array(self.normalize_once(definition, x)) * g).sum()
                for _ in range(4):
                    direction = RANDOM.standard_normal(shape)
                    slope = (loss(x + 1e-5 * direction) - loss(x - 1e-5 * direction)) / 2e-5
                    self.assertLessEqual(abs(slope - (gradient * direction).sum()), 1e-6 * max(1, abs(slope)))

    def test_halves(self):
        """FP16 in JSON, both 16-bit types as .npy: the float64 gradient rounded once."""
        self.put("bn", {"kind": "batch_norm"})
        x = RANDOM.integers(-64, 64, (6, 3, 4)) / 16
        g = RANDOM.integers(-64, 64, (6, 3, 4)) / 16
        exact = array(self.backward("bn", x, g).json["grad_input"])
        told = self.backward("bn", x, g, "FP16").json["grad_input"]
        self.assertEqual(array(told, "<f2").tolist(), exact.astype("<f2").tolist())
        half = load_files(self.backward_npy("bn", x.astype("<f2"), g.astype("<f2")).raw)
        self.assertEqual(half[0].tolist(), exact.astype("<f2").tolist())
        bfloat = load_files(self.backward_npy("bn", npy.bfloat16_from(x).view("V2"),
                                              npy.bfloat16_from(g).view("V2")).raw)
        self.assertEqual(bfloat[0].view("<u2").tolist(), npy.bfloat16_from(exact).tolist())


class Calls(BackwardTest):
    X = [[1, 2], [3, 5], [4, 4], [0, 1]]
    G = [[1, 0], [0, 1], [1, 1], [2, 0]]

    def tensors(self, datatype="FP64"):
        return {"input": {"datatype": datatype, "data": self.X}, "grad_output": {"datatype": datatype, "data": self.G}}

    def test_mode(self):
        """The mode is train by default; it may be in the body or in the query."""
        self.put("bn", {"kind": "batch_norm"})
        self.train("bn", numpy.array(self.X))
        train = self.backward("bn", self.X, self.G).json
        infer = self.backward("bn", self.X, self.G, mode="infer").json
        self.assertNotEqual(train, infer)
        self.assertEqual(self.backward("bn", self.X, self.G, mode="train").json, train)
        asked = lambda query: self.ask("POST", self.path("bn", "backward") + query, self.tensors()).json
        self.assertEqual((asked("?mode=train"), asked("?mode=infer")), (train, infer))
        self.assertEqual(self.backward("bn", self.X, self.G, mode=None).json, train)
        for bad in ("Train", "eval", "", 1, True, ["train"]):
            self.refused_backward("bad_parameter", 400, "bn", {**self.tensors(), "mode": bad})
        self.refused_backward("bad_parameter", 400, "bn", self.tensors(), "?mode=eval")
        self.refused_backward("bad_parameter", 400, "bn", {**self.tensors(), "mode": "train"}, "?mode=train")

    def test_kinds_without_statistics_have_one_gradient(self):
        for name, (definition, shape) in KINDS.items():
            if name in ("batch_norm", "tracking_instance_norm"):
                continue
            with self.subTest(name):
                self.put(name, definition)
                x, g = RANDOM.standard_normal(shape), RANDOM.standard_normal(shape)
                self.assertEqual(self.backward(name, x, g).json, self.backward(name, x, g, mode="infer").json)

    def test_seed(self):
        self.put("sh", {"kind": "batch_norm", "shuffle": True})
        trained = self.train("sh", numpy.array(self.X)).json
        self.refused_backward("bad_parameter", 400, "sh", self.tensors())
        for bad in (-1, 1.5, "1", None, 2**64):
            self.refused_backward("bad_parameter", 400, "sh", {**self.tensors(), "seed": bad})
        told = self.backward("sh", self.X, self.G, seed=trained["seed"]).json
        by_query = self.ask("POST", self.path("sh", "backward") + f"?seed={trained['seed']}", self.tensors()).json
        self.assertEqual(told, by_query)

    def test_inference_neither_shuffles_nor_cuts(self):
        """By running statistics, or by the batch's own without any: as for a layer without these options."""
        for tracks in (True, False):
            definition = {"kind": "batch_norm", "track_running_stats": tracks}
            told = []
            for layer, options in (("plain", {}), ("ghosts", {"virtual_batch_size": 2}),
                                   ("shuffled", {"shuffle": True})):
                self.put(f"{layer}.{tracks}", {**definition, **options})
                if tracks:
                    self.ask("PUT", self.path(f"{layer}.{tracks}", "statistics"),
                             {"running_mean": [1, 2], "running_var": [3, 4]})
                told.append(self.backward(f"{layer}.{tracks}", self.X, self.G, mode="infer").json)
            self.assertEqual(told[1:], told[:1] * 2)

    def test_too_few_values(self):
        """A batch that training refuses has no gradient either."""
        for layer, definition in (("in", {"kind": "instance_norm"}),
                                  ("gn", {"kind": "group_norm", "num_groups": 2, "num_channels": 2})):
            self.put(layer, definition)
            one = {"data": [[[1], [2]]]}
            self.refused("too_few_values", 422, layer, "train", one)
            self.refused_backward("too_few_values", 422, layer, {"input": one, "grad_output": one})

    def test_not_trained(self):
        self.put("bn", {"kind": "batch_norm"})
        self.refused_backward("not_trained", 409, "bn", {**self.tensors(), "mode": "infer"})
        self.put("in", {"kind": "instance_norm", "track_running_stats": True})
        tensor = {"data": [[[1, 2], [3, 5]]]}
        self.refused_backward("not_trained", 409, "in", {"input": tensor, "grad_output": tensor, "mode": "infer"})

    def test_tensors_that_do_not_fit(self):
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        good = {"data": self.X}
        told = self.refused_backward("shape_mismatch", 422, "bn", {"input": good, "grad_output": {"data": self.X[:2]}})
        self.assertEqual((told["expected"], told["actual"]), ("[4,2]", "[2,2]"))
        self.refused_backward("shape_mismatch", 422, "bn",
                              {"input": good, "grad_output": {"shape": [8], "data": [0] * 8}})
        self.refused_backward("shape_mismatch", 422, "bn",
                              {"input": good, "grad_output": {"shape": [2, 4], "data": [0] * 8}})
        self.refused_backward("shape_mismatch", 422, "bn",
                              {"input": {"data": [[1], [2]]}, "grad_output": {"data": [[1], [2]]}})
        self.refused_backward("bad_tensor", 400, "bn",
                              {"input": good, "grad_output": {"datatype": "FP64", "data": self.X}})
        self.refused_backward("bad_tensor", 400, "bn", {"input": good})
        self.refused_backward("bad_tensor", 400, "bn", {"grad_output": good})
        self.refused_backward("bad_tensor", 400, "bn", {})
        self.refused_backward("bad_tensor", 400, "bn", {"input": good, "grad_output": {"data": [[1, 2], [3]]}})
        self.refused_backward("bad_parameter", 400, "bn", {"input": good, "grad_output": good, "output": False})
        self.refused_backward("bad_parameter", 400, "bn", {"input": good, "grad_output": good}, "?output=false")
        self.refused_backward("too_few_values", 422, "bn",
                              {"input": {"data": [[1, 2]]}, "grad_output": {"data": [[1, 2]]}})
        self.ask("POST", self.path("no", "backward"), {"input": good, "grad_output": good}, status=404)

    def test_files_that_do_not_fit(self):
        self.put("bn", {"kind": "batch_norm"})
        x, headers = npy.save(numpy.float32(self.X)), {"Content-Type": npy.TYPE}
        old = x.replace(b"NUMPY\x01", b"NUMPY\x09")
        # The offset is in the body, not in the file.
        for body, at in ((x[:-1], len(x) - 1), (x, len(x)), (x + x[:-1], 2 * len(x) - 1), (x + x + x, 2 * len(x)),
                         (x + x + b"\0", 2 * len(x)), (x + b"none", len(x)), (x + old, len(x) + 6), (old, 6)):
            problem = self.refused_backward("bad_npy", 400, "bn", body, headers=headers)
            self.assertEqual(problem["offset"], at, problem)
        self.refused_backward("bad_tensor", 400, "bn", x + npy.save(numpy.float64(self.X)), headers=headers)
        self.refused_backward("shape_mismatch", 422, "bn", x + npy.save(numpy.float32(self.X[:2])), headers=headers)

    def test_forms_of_answer(self):
        self.put("bn", {"kind": "batch_norm"})
        told = self.backward("bn", self.X, self.G).json
        as_files = self.ask("POST", self.path("bn", "backward"), self.tensors(), {"Accept": npy.TYPE})
        for name, actual in zip(GRADIENTS, load_files(as_files.raw), strict=True):
            self.assertEqual(actual.tolist(), array(told[name]).tolist())
        files = npy.save(numpy.float64(self.X)) + npy.save(numpy.float64(self.G))
        as_json = self.ask("POST", self.path("bn", "backward"), files,
                           {"Content-Type": npy.TYPE, "Accept": "application/json"})
        self.assertEqual(as_json.json, told)
        bfloat = npy.save(npy.bfloat16_from(numpy.float64(self.X)).view("V2"))
        self.refused_backward("not_acceptable", 406, "bn", bfloat + bfloat,
                              headers={"Content-Type": npy.TYPE, "Accept": "application/json"})

    def test_what_is_not_finite(self):
        headers = {"Content-Type": npy.TYPE}
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                self.put(name, definition)
                good, bad = RANDOM.standard_normal(shape), RANDOM.standard_normal(shape)
                for wrong in (numpy.nan, numpy.inf):
                    bad[1, 2, 3] = wrong
                    self.refused_backward("non_finite_input", 422, name, npy.save(bad) + npy.save(good),
                                          headers=headers)
                    self.refused_backward("non_finite_input", 422, name, npy.save(good) + npy.save(bad),
                                          headers=headers)

    def test_a_gradient_that_does_not_fit_the_datatype(self):
        """Only the gradient by the input can overflow: those by the parameters are double."""
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                self.put(name, definition)
                weight = numpy.full(definition.get("normalized_shape", [6]), 1e5)
                self.ask("PUT", self.path(name, "parameters"), {"weight": weight.tolist()})
                x, g = RANDOM.standard_normal(shape), numpy.zeros(shape)
                g[1, 2, 3] = 3e38
                body = lambda datatype: {"input": tensor(x, datatype), "grad_output": tensor(g, datatype)}
                self.refused_backward("non_finite_input", 422, name, body("FP32"))
                everything = {"mask": numpy.ones(5 if "normalized_shape" in definition else (5, 4)).tolist()}
                self.refused_backward("non_finite_input", 422, name, {**body("FP32"), **everything})
                self.ask("POST", self.path(name, "backward"), body("FP64"))

    def test_a_gradient_by_a_parameter_that_is_not_finite(self):
        """The gradient by the input is finite: a large deviation divides a sum of large numbers."""
        self.put("bn", {"kind": "batch_norm"})
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [0], "running_var": [1e10]})
        large = lambda *gradient: {"input": {"datatype": "FP64", "data": [[1], [2]]}, "mode": "infer",
                                   "grad_output": {"datatype": "FP64", "data": [[g] for g in gradient]}}
        self.refused_backward("non_finite_input", 422, "bn", large(1.7e308, 1.7e308))
        self.ask("POST", self.path("bn", "backward"), large(1.7e308, 0))

    def test_an_empty_batch(self):
        """An empty batch has a gradient of its shape and adds nothing to those of the parameters."""
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        told = self.backward("bn", numpy.zeros((0, 2)), numpy.zeros((0, 2))).json
        self.assertEqual((told["grad_input"]["shape"], told["grad_input"]["data"]), ([0, 2], []))
        self.assertEqual((told["grad_weight"]["data"], told["grad_bias"]["data"]), ([0, 0], [0, 0]))

    def test_shapes_of_the_parameters(self):
        self.put("ln", {"kind": "layer_norm", "normalized_shape": [2, 3]})
        told = self.backward("ln", RANDOM.standard_normal((4, 2, 3)), RANDOM.standard_normal((4, 2, 3))).json
        self.assertEqual((told["grad_weight"]["shape"], told["grad_bias"]["shape"]), ([2, 3], [2, 3]))
        self.put("no_bias", {"kind": "layer_norm", "normalized_shape": [2, 3], "bias": False})
        told = self.backward("no_bias", RANDOM.standard_normal((4, 2, 3)), RANDOM.standard_normal((4, 2, 3))).json
        self.assertEqual((told["grad_weight"]["shape"], told["grad_bias"]), ([2, 3], None))


if __name__ == "__main__":
    unittest.main()
