# SPDX-License-Identifier: MIT
"""The golden vectors of tests/vectors/ through the HTTP API, as a client would use them."""

import json
import math
import os
import unittest

from normd import ROOT, DaemonTest
from reference import channel_of, ulp32


def load(name):
    with open(os.path.join(ROOT, "tests/vectors", name)) as f:
        return json.load(f)


class Vectors(DaemonTest):
    def put_case(self, name, case):
        base = f"/v1/models/{self.model}/layers/{name}"
        self.call("PUT", base, case["definition"], status=201)
        given = {key: case[key] for key in ("weight", "bias") if case.get(key) is not None}
        if given:
            self.call("PUT", base + "/parameters", given)
        return base

    def group_of(self, case, shape, i):
        """The values that share statistics: a channel, a group of a sample's channels, or a row."""
        definition = case["definition"]
        if "normalized_shape" in definition:
            return i // math.prod(definition["normalized_shape"])
        channel = channel_of(i, shape, definition.get("channel_axis", 1))
        if definition["kind"] == "batch_norm":
            return channel
        channels_of_group = shape[1] // definition.get("num_groups", shape[1])
        return i // math.prod(shape[1:]), channel // channels_of_group

    def assert_within_2_ulp(self, case, actual, expected):
        shape, data = expected["shape"], expected["data"]
        self.assertEqual((actual["shape"], len(actual["data"])), (shape, len(data)))
        largest = {}
        for i, y in enumerate(data):
            group = self.group_of(case, shape, i)
            largest[group] = max(largest.get(group, 0.0), abs(y))
        for i, (a, y) in enumerate(zip(actual["data"], data)):
            self.assertLessEqual(abs(a - y), 2 * ulp32(largest[self.group_of(case, shape, i)]), (case["name"], i))

    def assert_statistics(self, base, step):
        statistics = self.call("GET", base + "/statistics").json
        mean, var = statistics["running_mean"]["data"], statistics["running_var"]["data"]
        self.assertEqual(statistics["num_batches_tracked"], step["num_batches_tracked"])
        for f, (m, v) in enumerate(zip(step["running_mean"], step["running_var"])):
            self.assertLessEqual(abs(mean[f] - m), 1e-12 * max(abs(m), math.sqrt(v)))
            self.assertLessEqual(abs(var[f] - v), 1e-12 * v)

    def run_case(self, number, case):
        base = self.put_case(f"c{number}", case)
        for step in case["steps"]:
            seed = {"seed": step["seed"]} if "seed" in step else {}
            answer = self.call("POST", base + "/train", {**step["train"], **seed}).json
            self.assertEqual(answer.get("seed"), step.get("seed"))
            self.assert_within_2_ulp(case, answer, step["output"])
            self.assert_statistics(base, step)
            self.assert_nearer_than_pytorch(answer, step)
        answer = self.call("POST", base + "/infer", case["infer"]["input"]).json
        self.assert_within_2_ulp(case, answer, case["infer"]["output"])
        self.assert_nearer_than_pytorch(answer, case["infer"])

    def assert_nearer_than_pytorch(self, answer, expected):
        if "pytorch_float32_output" not in expected:
            return
        off = lambda data: max(abs(a - y) for a, y in zip(data, expected["output"]["data"]))
        self.assertLess(off(answer["data"]), off(expected["pytorch_float32_output"]["data"]))

    def test_batch_norm(self):
        for i, case in enumerate(load("batch_norm.json")):
            with self.subTest(case["name"]):
                self.run_case(i, case)

    def run_file_of_a_kind_without_statistics(self, name):
        """The same in training, in inference and without a layer."""
        for i, case in enumerate(load(name)):
            with self.subTest(case["name"]):
                if case["definition"].get("track_running_stats"):
                    continue
                self.run_case(i, case)
                trained = self.call("POST", f"/v1/models/{self.model}/layers/c{i}/train", case["infer"]["input"]).json
                inferred = self.call("POST", f"/v1/models/{self.model}/layers/c{i}/infer", case["infer"]["input"]).json
                self.assertEqual(trained["data"], inferred["data"])
                self.assertEqual((trained["num_batches_tracked"], trained["revision"] > 0),
                                 (0, case.get("weight") is not None))
                given = {key: case[key] for key in ("weight", "bias") if case.get(key) is not None}
                body = {"definition": case["definition"], "tensor": case["infer"]["input"], **given}
                once = self.call("POST", "/v1/normalize", body)
                self.assertEqual(once.json["data"], inferred["data"])

    def test_layer_norm(self):
        self.run_file_of_a_kind_without_statistics("layer_norm.json")

    def test_instance_norm(self):
        self.run_file_of_a_kind_without_statistics("instance_norm.json")

    def test_group_norm(self):
        self.run_file_of_a_kind_without_statistics("group_norm.json")

    def test_rms_norm(self):
        self.run_file_of_a_kind_without_statistics("rms_norm.json")

    def run_file(self, name, wanted=lambda case: True):
        cases = [case for case in load(name) if wanted(case)]
        self.assertTrue(cases)
        for i, case in enumerate(cases):
            with self.subTest(case["name"]):
                self.run_case(i, case)

    def test_instance_norm_that_tracks(self):
        self.run_file("instance_norm.json", lambda case: case["definition"]["track_running_stats"])

    def test_ghost_batches(self):
        self.run_file("ghost_batches.json")

    def test_renorm(self):
        self.run_file("renorm.json")

    def test_a_large_mean_costs_no_digits(self):
        for i, case in enumerate(load("large_mean.json")):
            with self.subTest(case["name"]):
                self.run_case(i, case)

    def test_too_few_values_where_pytorch_refuses(self):
        """An inference of zeros by a layer that tracks needs statistics; they are what a new module has."""
        cases = load("too_few_values.json")
        self.assertTrue(any(case["train"] for case in cases) and any(case["infer"] for case in cases))
        client = self.daemon.client()
        self.addCleanup(client.close)
        for i, case in enumerate(cases):
            base, zeros = f"/v1/models/{self.model}/layers/c{i}", [0] * math.prod(case["shape"])
            self.assertEqual(client.request("PUT", base, case["definition"]).status, 201)
            if case["definition"].get("track_running_stats"):
                client.request("PUT", base + "/statistics", {"running_mean": [0] * 4, "running_var": [1] * 4})
            state = lambda: [client.request("GET", base + call).json.get(key) for call, key in
                             (("", "num_features"), ("/statistics", "running_mean"), ("/statistics", "running_var"),
                              ("/statistics", "revision"))]
            before = state()
            for call in ("infer", "train"):
                answer = client.request("POST", f"{base}/{call}", {"shape": case["shape"], "data": zeros})
                wanted = (422, "too_few_values") if case[call] else (200, None)
                self.assertEqual((answer.status, answer.json.get("code")), wanted, (case, call))
                if case[call]:
                    self.assertEqual(state(), before)

    def test_what_pytorch_exported_for_onnx(self):
        cases = load("batchnorm_eval_from_pytorch.json")
        self.assertEqual(len(cases), 5)
        for i, case in enumerate(cases):
            with self.subTest(case["name"]):
                base = f"/v1/models/{self.model}/layers/c{i}"
                self.call("PUT", base, {"kind": "batch_norm", "eps": case["eps"], "num_features": len(case["weight"])},
                          status=201)
                self.call("PUT", base + "/parameters", {"weight": case["weight"], "bias": case["bias"]})
                self.call("PUT", base + "/statistics",
                          {"running_mean": case["running_mean"], "running_var": case["running_var"],
                           "num_batches_tracked": 1})
                answer = self.call("POST", base + "/infer", case["input"]).json
                self.assertEqual(answer["shape"], case["output"]["shape"])
                self.assertClose(answer["data"], case["output"]["data"], rtol=1e-3, atol=1e-7)
                self.assertClose(answer["data"], case["output"]["data"], rtol=1e-5, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
