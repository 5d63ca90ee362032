# SPDX-License-Identifier: MIT
"""Training, inference, statistics, parameters and the stateless call: what they mean, and what they leave alone."""

import math
import struct
import unittest

from normd import DaemonTest
from reference import f32


class Train(DaemonTest):
    def train(self, body, layer="bn", **kwargs):
        return self.call("POST", self.path(layer, "train"), body, **kwargs)

    def statistics(self, layer="bn"):
        s = self.call("GET", self.path(layer, "statistics")).json
        return s["running_mean"]["data"], s["running_var"]["data"], s["num_batches_tracked"], s["revision"]

    def test_the_form_of_the_answer_is_that_of_the_question(self):
        self.put_layer()
        nested = self.train({"data": [[1, 10], [3, 30]]}).json
        self.assertEqual((nested["shape"], nested["datatype"], nested["revision"]), ([2, 2], "FP32", 1))
        self.assertEqual([len(row) for row in nested["data"]], [2, 2])
        flat = self.train({"shape": [2, 2], "datatype": "FP64", "data": [1, 10, 3, 30]}).json
        self.assertEqual((flat["datatype"], len(flat["data"]), flat["num_batches_tracked"]), ("FP64", 4, 2))
        y = 1 / math.sqrt(1 + 1e-5)
        self.assertClose([flat["data"][0], flat["data"][2]], [-y, y], rtol=1e-15)
        self.assertEqual([f32(row[0]) for row in nested["data"]], [f32(-y), f32(y)])

    def test_exponential_as_pytorch(self):
        self.put_layer()
        mean, var = 0.0, 1.0
        for batch in ([1.0, 2.0, 6.0], [4.0, 4.0, 7.0]):
            self.train({"datatype": "FP64", "data": [[x] for x in batch]})
            m = sum(batch) / 3
            mean, var = 0.9 * mean + 0.1 * m, 0.9 * var + 0.1 * sum((x - m) ** 2 for x in batch) / 2
        got = self.statistics()
        self.assertClose(got[0] + got[1], [mean, var], rtol=1e-14)

    def test_averagings(self):
        batches = [[1.0, 2.0, 6.0], [4.0, 4.5, 7.0], [-3.0, 9.0]]
        values = sum(batches, [])
        moments = lambda xs, ddof: (sum(xs) / len(xs), sum((x - sum(xs) / len(xs)) ** 2 for x in xs) / (len(xs) - ddof))
        cumulative = [sum(moments(b, 1)[i] for b in batches) / 3 for i in (0, 1)]
        for layer, definition, expected in (
            ("pooled", {"averaging": "pooled"}, moments(values, 0)),
            ("pooled1", {"averaging": "pooled", "unbiased_running_var": True}, moments(values, 1)),
            ("cumulative", {"averaging": "cumulative"}, cumulative),
            ("null", {"momentum": None}, cumulative),
        ):
            self.put_layer(layer, {"kind": "batch_norm", **definition})
            for batch in batches:
                self.train({"datatype": "FP64", "data": [[x] for x in batch]}, layer)
            mean, var, count, _ = self.statistics(layer)
            self.assertClose(mean + var, list(expected), rtol=1e-13)
            self.assertEqual(count, 3)

    def test_every_rank_and_axis(self):
        for rank in (2, 3, 4, 5):
            self.put_layer(f"r{rank}")
            shape = [2, 3, 2, 2, 2][:rank]
            data = [((i * 37) % 11) - 4.0 for i in range(math.prod(shape))]
            self.train({"shape": shape, "data": data}, f"r{rank}")
            self.assertEqual(len(self.statistics(f"r{rank}")[0]), 3)
        self.put_layer("last", {"kind": "batch_norm", "channel_axis": -1, "momentum": 1})
        self.train({"shape": [2, 2, 2], "data": [1, 10, 2, 20, 3, 30, 6, 60]}, "last")
        self.assertEqual(self.statistics("last")[0], [3, 30])
        for shape in ([4], [1, 1, 1, 1, 1, 2]):
            answer = self.refused("shape_mismatch", 422, "POST", self.path("r2", "train"),
                                  {"shape": shape, "data": [1] * math.prod(shape)})
            self.assertTrue(answer.json["expected"] and answer.json["actual"])

    def test_output_false_updates_only(self):
        self.put_layer()
        self.assertEqual(self.call("POST", self.path("bn", "train?output=false"), {"data": [[1], [2]]}).json,
                         {"num_batches_tracked": 1, "revision": 1})
        self.assertEqual(self.train({"output": False, "data": [[1], [2]]}).json,
                         {"num_batches_tracked": 2, "revision": 2})
        both = self.call("POST", self.path("bn", "train?output=false"), {"output": True, "data": [[1], [2]]}).json
        self.assertNotIn("data", both, "what either leaves out is left out")
        for bad in (1, "false", []):
            self.refused("bad_parameter", 400, "POST", self.path("bn", "train"), {"output": bad, "data": [[1], [2]]})
        self.refused("bad_parameter", 400, "POST", self.path("bn", "train?output=no"), {"data": [[1], [2]]})

    def test_an_empty_batch_changes_nothing(self):
        self.put_layer()
        self.train({"data": [[1, 2], [3, 4]]})
        before = self.statistics()
        for shape in ([0, 2], [3, 2, 0]):
            for call in ("train", "infer"):
                answer = self.call("POST", self.path("bn", call), {"shape": shape, "data": []}).json
                self.assertEqual((answer["shape"], answer["data"]), (shape, []))
        self.assertEqual(self.statistics(), before)

    def test_constants_give_zero_exactly(self):
        for i, c in enumerate((0.0, 1.0, 0.1, 1e30, -3e38, 1e-40)):
            self.put_layer(f"c{i}")
            answer = self.train({"data": [[c]] * 7}, f"c{i}").json
            self.assertEqual([row[0] for row in answer["data"]], [0] * 7)

    def test_what_must_not_poison(self):
        self.put_layer()
        self.train({"data": [[1, 2], [3, 4]]})
        before = self.statistics()
        path = self.path("bn", "train")
        for body, code, status in (
            ('{"data":[[1,2],[NaN,4]]}', "bad_json", 400),
            ('{"data":[[1,2],[Infinity,4]]}', "bad_json", 400),
            ('{"data":[[1,2],[1e39,4]]}', "bad_tensor", 400),
            ('{"datatype":"FP64","data":[[1,2],[1e309,4]]}', "bad_tensor", 400),
            ('{"datatype":"FP64","data":[[1e200,2],[-1e200,4]]}', "non_finite_input", 422),
            ('{"data":[[1,2]]}', "too_few_values", 422),
            ('{"data":[[1,2,3],[1,2,3]]}', "shape_mismatch", 422),
            ('{"data":[[1,2],[3]]}', "bad_tensor", 400),
            ('{"data":[[1,2],[3,4]],"data":1}', "bad_json", 400),
            ('{"data":[[1,2],[3,4]]} x', "bad_json", 400),
            ('{"data":[[1,2],[3,4]],"lengths":[1,1]}', "shape_mismatch", 422),
            ('{"data":[[1,2],[3,4]],"mask":[[true,false],[true,true]]}', "shape_mismatch", 422),
            ('{"data":[[1,2],[3,4]],"sync":{"step":"1","rank":0,"world_size":2,"timeout_ms":1}}', "sync_incomplete",
             409),
            ('{"data":[[1,2],[3,4]],"seed":1}', "bad_parameter", 400),
            ('{}', "bad_tensor", 400),
            ('', "bad_json", 400),
        ):
            with self.subTest(body=body):
                answer = self.refused(code, status, "POST", path, body)
                if code in ("bad_json", "bad_tensor") and body != "{}":
                    self.assertIn(f"(at byte {answer.json['offset']})", answer.json["detail"])
        self.assertEqual(self.statistics(), before)
        self.call("PUT", self.path("bn", "parameters"), {"weight": [1e38, 1], "bias": [3.4e38, 0]})
        before = self.statistics()
        self.refused("non_finite_input", 422, "POST", path, {"data": [[0, 1], [0, 2], [5, 3]]})
        self.assertEqual(self.statistics(), before)

    def test_inference_needs_training_and_one_sample_is_enough(self):
        self.put_layer()
        self.refused("not_trained", 409, "POST", self.path("bn", "infer"), {"data": [[1, 2]]})
        self.refused("not_trained", 409, "GET", self.path("bn", "affine"))
        self.call("PUT", self.path("bn", "statistics"),
                  {"running_mean": [1, 2], "running_var": [4, 0.25], "num_batches_tracked": 0})
        answer = self.call("POST", self.path("bn", "infer"), {"datatype": "FP64", "data": [[3, 2.5]]})
        expected = [2 / math.sqrt(4 + 1e-5), 0.5 / math.sqrt(0.25 + 1e-5)]
        self.assertClose(answer.json["data"][0], expected, rtol=1e-15)
        self.assertEqual(answer.headers["normd-revision"], "1")
        folded = self.call("GET", self.path("bn", "affine")).json
        self.assertClose([x * a + b for x, a, b in zip((3, 2.5), folded["scale"], folded["shift"])], expected,
                         rtol=1e-14)
        self.call("DELETE", self.path("bn", "statistics"), status=200)
        self.assertEqual(self.statistics()[:3], ([0, 0], [1, 1], 0))
        self.refused("not_trained", 409, "POST", self.path("bn", "infer"), {"data": [[1, 2]]})

    def test_without_tracking_inference_uses_the_batch(self):
        self.put_layer("bn", {"kind": "batch_norm", "track_running_stats": False})
        trained = self.train({"data": [[1], [3]]}).json
        self.assertEqual((trained["num_batches_tracked"], trained["revision"]), (0, 0))
        self.assertEqual(self.call("POST", self.path("bn", "infer"), {"data": [[1], [3]]}).json["data"],
                         trained["data"])
        for method, call in (("GET", "statistics"), ("DELETE", "statistics"), ("GET", "affine")):
            self.refused("bad_parameter", 400, method, self.path("bn", call))

    def test_counts_are_exact_beyond_2_to_the_53(self):
        self.put_layer("bn", {"kind": "batch_norm", "num_features": 1, "averaging": "pooled"})
        put = {"running_mean": [1], "running_var": [2], "num_batches_tracked": 9007199254740993,
               "count": 9007199254740995}
        path = self.path("bn", "statistics")
        self.call("PUT", path, put)
        self.assertEqual(self.train({"data": [[1], [3]]}).json["num_batches_tracked"], 9007199254740994)
        self.assertEqual(self.call("GET", path).json["count"], 9007199254740997)
        self.call("PUT", path, {**put, "num_batches_tracked": 2**63 - 1})
        self.refused("bad_parameter", 400, "POST", self.path("bn", "train"), {"data": [[1], [3]]})
        for bad in (2**63, -1, 1.5):
            self.refused("bad_parameter", 400, "PUT", path, {**put, "num_batches_tracked": bad})
        self.refused("bad_parameter", 400, "PUT", path, {**put, "running_var": [-1]})
        self.refused("shape_mismatch", 422, "PUT", path, {**put, "running_mean": [1, 2], "running_var": [1, 2]})

    def test_pooled_statistics_are_put_with_their_count(self):
        """Without a count the import would have no weight, and the next batch would replace it."""
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "pooled"})
        path, put = self.path("bn", "statistics"), {"running_mean": [1], "running_var": [2], "num_batches_tracked": 3}
        for bad in (put, {**put, "count": None}, {**put, "count": 0}, {**put, "count": "4"}):
            self.assertIn('"count"', self.refused("bad_parameter", 400, "PUT", path, bad).json["detail"])
        self.call("PUT", path, {**put, "count": 6})
        self.train({"data": [[4], [6]]})
        # 6 values of mean 1 and variance 2, and 4 and 6: mean 2, M2 of 12 + 2 + 6 * 2 / 8 * (5 - 1) ** 2
        self.assertEqual(self.statistics()[:2], ([2], [38 / 8]))
        for layer in ("bn", "new"):
            self.put_layer("new", {"kind": "batch_norm", "averaging": "pooled", "num_features": 1},
                           status=201 if layer == "bn" else 200)
            shown = self.call("GET", self.path(layer, "statistics")).json
            self.assertEqual(self.call("PUT", self.path(layer, "statistics"), shown).json["count"], shown["count"])
        self.put_layer("exponential", {"kind": "batch_norm"})
        self.call("PUT", self.path("exponential", "statistics"), put)

    def test_merge_is_one_training_batch(self):
        batch = [1.0, 2.0, 6.0, 7.0]
        mean = sum(batch) / 4
        var = sum((x - mean) ** 2 for x in batch) / 4
        for layer, definition in (("e", {}), ("c", {"momentum": None}), ("p", {"averaging": "pooled"})):
            self.put_layer(layer, {"kind": "batch_norm", **definition})
            self.put_layer(layer + "m", {"kind": "batch_norm", **definition})
            for _ in range(2):
                self.train({"datatype": "FP64", "data": [[x] for x in batch]}, layer)
                merged = self.call("POST", self.path(layer + "m", "statistics/merge"),
                                   {"count": 4, "mean": [mean], "var": [var]})
            self.assertEqual(merged.json, {"num_batches_tracked": 2, "revision": 2})
            self.assertEqual(self.statistics(layer), self.statistics(layer + "m"))
        merge = self.path("em", "statistics/merge")
        self.assertEqual(self.call("POST", merge, {"count": 0, "mean": [1], "var": [1]}).json["revision"], 2)
        self.refused("too_few_values", 422, "POST", merge, {"count": 1, "mean": [1], "var": [0]})
        self.refused("bad_parameter", 400, "POST", merge, {"count": 4, "mean": [1], "var": [-1]})
        self.refused("bad_parameter", 400, "POST", merge, {"mean": [1], "var": [1]})
        self.refused("shape_mismatch", 422, "POST", merge, {"count": 4, "mean": [1, 2], "var": [1, 2]})

    def test_parameters_scale_and_shift(self):
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [2, 2]})
        path = self.path("ln", "parameters")
        self.assertEqual(self.call("GET", path).json, {"weight": [[1, 1], [1, 1]], "bias": [[0, 0], [0, 0]]})
        put = self.call("PUT", path, {"weight": [[1, 2], [3, 4]], "bias": [0.5, 0, 0, 0]}, {"If-Match": '"0"'})
        self.assertEqual((put.json["bias"], put.headers["etag"]), ([[0.5, 0], [0, 0]], '"1"'))
        self.refused("revision_mismatch", 412, "PUT", path, {"weight": [1, 1, 1, 1]}, {"If-Match": '"0"'})
        self.refused("shape_mismatch", 422, "PUT", path, {"weight": [1, 2, 3]})
        y = self.call("POST", self.path("ln", "infer"),
                      {"datatype": "FP64", "data": [[[1, 2], [3, 4]]]}).json["data"][0]
        r = 1 / math.sqrt(1.25 + 1e-5)
        self.assertClose(y[0] + y[1], [-1.5 * r + 0.5, -0.5 * r * 2, 0.5 * r * 3, 1.5 * r * 4], rtol=1e-14)
        self.put_layer("plain", {"kind": "batch_norm", "affine": False})
        self.refused("bad_parameter", 400, "PUT", self.path("plain", "parameters"), {"weight": [1]})

    def test_normalize_stores_nothing(self):
        data = {"datatype": "FP64", "data": [[1.0, 2.0, 4.0]]}
        flat = self.call("POST", "/v1/normalize",
                         {"kind": "layer_norm", "normalized_shape": [3], **data, "weight": [1, 1, 2]}).json
        apart = self.call("POST", "/v1/normalize",
                          {"definition": {"kind": "layer_norm", "normalized_shape": [3]}, "tensor": data,
                           "weight": [1, 1, 2]}).json
        self.assertEqual(flat, apart)
        var = 14 / 9
        self.assertClose(flat["data"][0],
                         [(x - 7 / 3) / math.sqrt(var + 1e-5) * w for x, w in ((1, 1), (2, 1), (4, 2))], rtol=1e-14)
        batch = self.call("POST", "/v1/normalize", {"kind": "batch_norm", "data": [[1], [3]]}).json
        self.assertEqual([f32(row[0]) for row in batch["data"]],
                         [f32(-1 / math.sqrt(1 + 1e-5)), f32(1 / math.sqrt(1 + 1e-5))])
        no_bias = {"kind": "layer_norm", "normalized_shape": [3], "bias": False, **data}
        self.call("POST", "/v1/normalize", no_bias)
        self.refused("bad_parameter", 400, "POST", "/v1/normalize", {"kind": "rms_norm", **data})
        self.assertNotIn(self.model, self.call("GET", "/v1/models?limit=1000").json["models"])

    def test_numbers_are_the_shortest_that_read_back(self):
        values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.125, 2.0**-44, 1e23]
        self.put_layer("bn", {"kind": "batch_norm", "num_features": len(values)})
        put = self.call("PUT", self.path("bn", "statistics"),
                        {"running_mean": values, "running_var": [1] * len(values)})
        got = put.json["running_mean"]["data"]
        self.assertEqual([struct.pack("<d", x) for x in got], [struct.pack("<d", x) for x in values])
        text = put.body[put.body.index('"data":[') + 8:].split("]")[0].split(",")
        digits = lambda t: len(t.lower().split("e")[0].replace(".", "").replace("-", "").strip("0")) or 1
        self.assertEqual([digits(t) for t in text], [digits(repr(v)) for v in values])


if __name__ == "__main__":
    unittest.main()
