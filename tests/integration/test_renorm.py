# SPDX-License-Identifier: MIT
"""Batch Renormalization: training's output corrected towards the running statistics."""

import unittest

import numpy

from kinds import KindTest

RANDOM = numpy.random.default_rng(47)


class Renorm(KindTest):
    def corrected(self, x, mean, var, r_max, d_max, eps=1e-5):
        batch_mean, deviation = x.mean(0), numpy.sqrt(x.var(0) + eps)
        running = numpy.sqrt(var + eps)
        r = numpy.clip(deviation / running, 1 / r_max, r_max)
        d = numpy.clip((batch_mean - mean) / running, -d_max, d_max)
        return (x - batch_mean) / deviation * r + d

    def test_towards_the_running_statistics(self):
        """Before the first batch the running statistics are 0 and 1."""
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


if __name__ == "__main__":
    unittest.main()
