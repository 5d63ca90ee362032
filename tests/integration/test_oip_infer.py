# SPDX-License-Identifier: MIT
"""Inference of several layers by one call of the Open Inference Protocol."""

import gzip
import json
import unittest
import zlib

import numpy

from normd import ClientTest, at_once
from oip import HEADER, call, results

KINDS = {
    "a": {"kind": "batch_norm"},
    "b": {"kind": "batch_norm", "momentum": 0.5},
    "in": {"kind": "instance_norm"},
    "ln": {"kind": "layer_norm", "normalized_shape": [4]},
    "rms": {"kind": "rms_norm", "normalized_shape": [4]},
    "gn": {"kind": "group_norm", "num_groups": 2, "num_channels": 4},
}
RANDOM = numpy.random.default_rng(15)


def array(*shape, dtype=numpy.float32):
    return RANDOM.normal(5, 3, shape).astype(dtype)


class OipTest(ClientTest):
    """Layers of each kind, of which those that track are trained."""

    layers = KINDS

    def setUp(self):
        super().setUp()
        for name, definition in self.layers.items():
            self.ask("PUT", self.path(name), definition, status=201)
            if definition["kind"] == "batch_norm":
                self.ask("POST", self.path(name, "train"), {"data": array(6, 4).tolist()})

    def infer(self, inputs, *, status=200, version=None, headers=None, **how):
        body, sent = call(inputs, **how)
        at = f"/versions/{version}" if version else ""
        return self.ask("POST", f"/v2/models/{self.model}{at}/infer", body, {**sent, **(headers or {})}, status)

    def refused(self, code, status, inputs, **how):
        answer = self.infer(inputs, status=status, **how)
        self.assertEqual(answer.code, code, answer)
        return answer.json["detail"]

    def one(self, layer, values, query=""):
        """What the layer's own call answers."""
        body = {"shape": list(values.shape), "datatype": "FP64" if values.dtype == numpy.float64 else "FP32",
                "data": values.ravel().tolist()}
        answer = self.ask("POST", self.path(layer, "infer") + query, body)
        return numpy.array(answer.json["data"], values.dtype).reshape(values.shape), answer

    def put_many(self, layers, definition):
        """Creates layers by several connections at once, so that they share commits."""
        names = list(layers)

        def put(part):
            client = self.daemon.client()
            for name in part:
                self.assertEqual(client.request("PUT", self.path(name), definition).status, 201)
            client.close()

        at_once([lambda part=names[i::16]: put(part) for i in range(16)])

    def state(self, layer):
        return self.ask("GET", self.path(layer, "statistics")).json


class Inference(OipTest):
    def inputs(self):
        return {"a": array(3, 4), "b": array(2, 4, dtype=numpy.float64), "in": array(2, 3, 5), "ln": array(2, 4),
                "rms": array(1, 4), "gn": array(2, 4, 3)}

    def test_every_layer_as_its_own_call(self):
        """The same bits, whatever is binary and whatever is asked for."""
        inputs = self.inputs()
        for binary in (True, False, ("a", "ln")):
            for asked in (None, {"binary_data_output": True}):
                for outputs in (None, list(inputs)[::-1], ["gn", {"name": "a", "parameters": {"binary_data": True}}]):
                    answer = self.infer(inputs, binary=binary, outputs=outputs, parameters=asked)
                    found = results(answer)
                    names = [each if isinstance(each, str) else each["name"] for each in outputs or inputs]
                    self.assertEqual(list(found), names)
                    for name, (values, parameters) in found.items():
                        expected, one = self.one(name, inputs[name])
                        self.assertEqual(values.tobytes(), expected.tobytes(), name)
                        self.assertEqual(values.dtype, inputs[name].dtype)
                        by_itself = name == "a" and outputs is not None and len(outputs) == 2
                        as_bytes = {"revision": int(one.headers["normd-revision"]), "binary_data_size": values.nbytes}
                        self.assertEqual(parameters, as_bytes if asked is not None or by_itself else {})
                    self.assertEqual(answer.headers["normd-version"], "live")
                    self.assertNotIn("normd-revision", answer.headers)

    def test_the_document_of_an_answer(self):
        answer = self.infer({"a": numpy.float32([[1, 2, 3, 4]])}, binary=False, id='the "first"')
        _, one = self.one("a", numpy.float32([[1, 2, 3, 4]]))
        self.assertEqual(answer.json, {
            "model_name": self.model, "model_version": "live", "id": 'the "first"', "outputs": [
                {"name": "a", "datatype": "FP32", "shape": [1, 4],
                 "data": one.json["data"]}]})
        self.assertEqual((answer.headers["content-type"], answer.headers["normd-revision"], answer.headers["etag"]),
                         ("application/json", "1", '"1"'))
        self.assertNotIn(HEADER.lower(), answer.headers)
        self.assertNotIn("id", self.infer({"a": array(1, 4)}, binary=False).json)
        nested = {"inputs": [{"name": "a", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]}], "id": None,
                  "outputs": [{"name": "a", "parameters": {"classification": None, "binary_data": None}}],
                  "parameters": {"mode": None, "shared_memory_region": None}, "unknown": 1}
        answer = self.ask("POST", f"/v2/models/{self.model}/infer/?a=b", nested)
        self.assertEqual(answer.json["outputs"][0]["data"], [one.json["data"]])

    def test_codings_are_over_the_whole_body(self):
        inputs = {"a": array(500, 4), "ln": array(30, 4)}
        expected = self.infer(inputs, parameters={"binary_data_output": True})
        body, headers = call(inputs, parameters={"binary_data_output": True})
        for coding, module in (("gzip", gzip), ("deflate", zlib)):
            answer = self.ask("POST", f"/v2/models/{self.model}/infer", module.compress(body),
                              {**headers, "Content-Encoding": coding, "Accept-Encoding": coding})
            self.assertEqual(answer.headers["content-encoding"], coding)
            self.assertEqual(module.decompress(answer.raw), expected.raw)

    def test_empty_tensors(self):
        inputs = {"a": array(0, 4), "ln": array(3, 0, 4), "b": array(1, 4)}
        for binary in (True, False):
            for asked in (True, False):
                found = results(self.infer(inputs, binary=binary, parameters={"binary_data_output": asked}))
                self.assertEqual([values.shape for values, _ in found.values()], [(0, 4), (3, 0, 4), (1, 4)])
        answer = self.infer({"a": array(0, 4)}, parameters={"binary_data_output": True})
        self.assertEqual(int(answer.headers[HEADER.lower()]), len(answer.raw))

    def test_nan_and_infinity_are_values(self):
        bad = array(3, 4)
        bad[0, 0], bad[1, 1], bad[2, 2] = numpy.nan, numpy.inf, -numpy.inf
        expected, _ = self.one("a", numpy.nan_to_num(bad, nan=0, posinf=0, neginf=0))
        expected[0, 0], expected[1, 1], expected[2, 2] = numpy.nan, numpy.inf, -numpy.inf
        for binary in (True, False):
            for asked in (True, False):
                answer = self.infer({"a": bad, "ln": bad[:1]}, binary=binary, parameters={"binary_data_output": asked})
                values, rows = (each for each, _ in results(answer).values())
                numpy.testing.assert_array_equal(values, expected)
                self.assertTrue(numpy.isnan(rows).all())

    def test_a_thousand_layers(self):
        layers = {f"l{i}": array(1, 4) for i in range(1000)}
        self.put_many(layers, {"kind": "layer_norm", "normalized_shape": [4]})
        for binary in (True, False):
            found = results(self.infer(layers, binary=binary, parameters={"binary_data_output": binary}))
            self.assertEqual(list(found), list(layers))
            values = numpy.concatenate([each for each, _ in found.values()])
            expected, _ = self.one("ln", numpy.concatenate(list(layers.values())))
            self.assertEqual(values.tobytes(), expected.tobytes())

    def test_more_inputs_than_are_accepted(self):
        many = {f"l{i}": numpy.zeros(0, numpy.float32) for i in range(4097)}
        self.assertIn("4097 inputs", self.refused("bad_parameter", 400, many))

    def test_large_inputs_are_shared_and_keep_their_bits(self):
        """Middle-sized ones by neighbours, and one that is cut itself."""
        inputs = {"a": array(20000, 4), "ln": array(30000, 4), "b": array(300000, 4), "rms": array(25000, 4),
                  "in": array(40, 25, 100), "gn": array(300, 4, 100)}
        found = results(self.infer(inputs, parameters={"binary_data_output": True}))
        for name, values in inputs.items():
            alone = results(self.infer({name: values}, parameters={"binary_data_output": True}))[name]
            self.assertEqual(found[name][0].tobytes(), alone[0].tobytes(), name)

    def test_versions_and_aliases(self):
        values = {"a": array(2, 4), "b": array(2, 4)}
        live = self.infer(values)
        self.ask("POST", f"/v1/models/{self.model}/versions", {}, status=201)
        self.ask("PUT", f"/v1/models/{self.model}/aliases/champion", {"version": 1}, status=201)
        self.ask("POST", self.path("a", "train"), {"data": array(6, 4).tolist()})
        changed = self.infer(values)
        self.assertNotEqual(changed.json["outputs"], live.json["outputs"])
        for version in ("1", "champion"):
            answer = self.infer(values, version=version)
            self.assertEqual((answer.json["model_version"], answer.headers["normd-version"]), ("1", "1"))
            self.assertEqual(answer.json["outputs"], live.json["outputs"])
        self.ask("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.assertEqual(self.infer(values).json["model_version"], "1")
        self.assertEqual(self.infer(values, version="live").json, changed.json)
        self.refused("no_such_version", 404, values, version="2")
        self.refused("no_such_alias", 404, values, version="nobody")
        self.ask("PUT", self.path("late"), {"kind": "layer_norm", "normalized_shape": [4]}, status=201)
        self.assertIn('"late"', self.refused("no_such_layer", 404, {**values, "late": array(1, 4)}))

    def test_what_cannot_be_answered(self):
        inputs = {"a": array(2, 4), "b": array(2, 4)}
        self.assertIn('"none"', self.refused("no_such_layer", 404, {**inputs, "none": array(1, 4)}))
        self.assertIn("a/b", self.refused("no_such_layer", 404, {**inputs, "a/b": array(1, 4)}))
        self.refused("no_such_layer", 404, {"x" * 500: array(1, 4)})
        self.assertIn('"c"', self.refused("bad_parameter", 400, inputs, outputs=["a", "c"]))
        self.assertIn("twice", self.refused("bad_parameter", 400, inputs, outputs=["b", "b"]))
        self.assertIn("more elements", self.refused("bad_parameter", 400, inputs, outputs=["a", "b", "a"]))
        self.refused("bad_parameter", 400, inputs, outputs=[{"nom": "a"}])
        self.refused("bad_parameter", 400, {})
        self.assertIn('"mode"', self.refused("bad_parameter", 400, inputs, parameters={"mod": "train"}))
        self.assertIn('"train"', self.refused("bad_parameter", 400, inputs, parameters={"mode": "trian"}))
        self.refused("bad_parameter", 400, inputs, parameters={"binary_data_output": "yes"})
        self.refused("bad_parameter", 400, inputs, parameters=[1])
        self.refused("bad_parameter", 400, inputs, id=7)
        for refused in ({"classification": 2}, {"shared_memory_region": "r"}):
            detail = self.refused("bad_parameter", 400, inputs, outputs=[{"name": "a", "parameters": refused}])
            self.assertIn(next(iter(refused)), detail)
        self.refused("bad_parameter", 400, inputs, outputs=[{"name": "a", "parameters": {"binary_dat": True}}])
        self.assertIn('input "b"', self.refused("shape_mismatch", 422, {"a": array(1, 4), "b": array(1, 3)}))
        self.ask("PUT", self.path("new"), {"kind": "batch_norm"}, status=201)
        self.assertIn('input "new"', self.refused("not_trained", 409, {**inputs, "new": array(2, 4)}))
        answer = self.ask("POST", "/v2/models/nobody/infer", *call(inputs), status=404)
        self.assertEqual(answer.code, "no_such_model")

    def test_bf16_is_binary_only(self):
        document = json.dumps({"inputs": [{"name": "ln", "shape": [1, 4], "datatype": "BF16", "parameters": {
            "binary_data_size": 8}}], "parameters": {"binary_data_output": True}}).encode()
        halves = numpy.float32([[1, 2, 3, 6]]).view(numpy.uint32) >> 16
        body = document + halves.astype(numpy.uint16).tobytes()
        path, headers = f"/v2/models/{self.model}/infer", {HEADER: str(len(document))}
        answer = self.ask("POST", path, body, headers)
        values = (numpy.frombuffer(answer.raw[-8:], numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
        numpy.testing.assert_allclose(values, self.one("ln", numpy.float32([1, 2, 3, 6]))[0], rtol=0.01)
        document = document.replace(b"true", b"null")
        answer = self.ask("POST", path, document + body[-8:], headers, status=406)
        self.assertIn("binary_data_output", answer.json["detail"])
        self.assertIn('"ln"', answer.json["detail"])

    def test_unloaded_models_do_not_infer(self):
        self.ask("POST", f"/v2/repository/models/{self.model}/unload")
        self.refused("no_such_model", 404, {"a": array(1, 4)})
        self.ask("POST", f"/v2/repository/models/{self.model}/load")
        self.infer({"a": array(1, 4)})

    def test_calls_are_counted(self):
        inputs = {"a": array(1, 4), "b": array(1, 4)}
        self.infer(inputs)
        self.infer(inputs)
        self.refused("shape_mismatch", 422, {"a": array(1, 3)})
        stats = self.ask("GET", f"/v2/models/{self.model}/stats").json["model_stats"][0]["inference_stats"]
        self.assertEqual((stats["success"]["count"], stats["fail"]["count"]), (2, 1))
        self.assertGreater(stats["success"]["ns"], 0)


if __name__ == "__main__":
    unittest.main()
