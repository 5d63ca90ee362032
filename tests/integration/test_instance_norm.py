# SPDX-License-Identifier: MIT
"""Instance normalization with running statistics: what an update is, and inference by them."""

import math
import unittest

import numpy

from kinds import KINDS, KindTest

RANDOM = numpy.random.default_rng(29)


class Tracking(KindTest):
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
        merged = self.ask("POST", self.path("in", "statistics", "merge"),
                          {"count": 5, "mean": [1, 2, 3], "var": [1, 1, 1]}).json
        self.assertEqual(merged["num_batches_tracked"], 4)
        statistics = self.ask("GET", self.path("in", "statistics")).json
        self.assertNear(statistics["running_mean"]["data"], 0.75 * mean + 0.25 * numpy.array([1, 2, 3]), 1e-13)
        self.assertNear(statistics["running_var"]["data"], 0.75 * var + 0.25 * 5 / 4, 1e-13)

    def test_an_output_that_does_not_fit_the_datatype(self):
        """Such an output is refused and nothing is stored; without output the batch counts."""
        self.put("in", KINDS["tracking_instance_norm"][0])
        body = {"datatype": "FP16", "data": [[[1, 5, 3]]]}
        self.ask("PUT", self.path("in", "parameters"), {"weight": [1e6]})
        self.refused("non_finite_input", 422, "in", "train", body)
        self.assertEqual(self.ask("POST", self.path("in", "train"),
                                  {**body, "output": False}).json["num_batches_tracked"], 1)
        self.assertNear(self.ask("GET", self.path("in", "statistics")).json["running_mean"]["data"], [0.3], 1e-15)

    def test_a_tracking_instance_norm_needs_training_first(self):
        self.put("in", KINDS["tracking_instance_norm"][0])
        self.refused("not_trained", 409, "in", "infer", {"data": [[[1, 2]]]})
        self.ask("PUT", self.path("in", "statistics"), {"running_mean": [1], "running_var": [4]})
        self.assertNear(self.infer("in", numpy.array([[[1.0, 3.0]]])), [[[0, 2 / math.sqrt(4 + 1e-5)]]])

    def test_instance_momentum_null_is_cumulative(self):
        self.assertIsNone(self.put("in",
                                   {"kind": "instance_norm", "track_running_stats": True,
                                    "momentum": None})["momentum"])
        batches = [RANDOM.standard_normal((2, 2, 4)) for _ in range(3)]
        for x in batches:
            self.train("in", x)
        statistics = self.ask("GET", self.path("in", "statistics")).json
        self.assertNear(statistics["running_mean"]["data"], sum(x.mean((0, 2)) for x in batches) / 3, 1e-14)

    def test_conventions_of_a_tracking_instance_norm(self):
        """The batch 1, 5 has mean 3, variance 4 (biased) or 8; all the numbers are exact in binary."""
        for convention, mean, var in (("pytorch", 2.25, 6.25), ("keras", 0.75, 1.75), ("flax", 0.75, 1.75),
                                      ("onnx", 0.75, 1.75)):
            self.put(convention,
                     {"kind": "instance_norm", "track_running_stats": True, "convention": convention, "momentum": 0.75})
            self.train(convention, numpy.array([[[1.0, 5.0]]]))
            statistics = self.ask("GET", self.path(convention, "statistics")).json
            self.assertEqual((statistics["running_mean"]["data"], statistics["running_var"]["data"]), ([mean], [var]))


if __name__ == "__main__":
    unittest.main()
