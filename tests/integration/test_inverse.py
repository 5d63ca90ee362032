# SPDX-License-Identifier: MIT
"""infer?inverse=true: maps the output of a tracking layer back to its input."""

import unittest

import numpy

import npy
from kinds import KINDS, TRACKING, KindTest

RANDOM = numpy.random.default_rng(37)


class Inverse(KindTest):
    def test_inverse(self):
        for name in TRACKING:
            definition, shape = KINDS[name]
            self.put(name, {**definition, "clip": 0.01})
            x = RANDOM.standard_normal(shape) * 5 + 7
            self.train(name, x)
            self.ask("PUT", self.path(name, "parameters"),
                     {"weight": [1, -2, 0.5, 3, 1e-3, 7], "bias": [0, 1, 2, -3, 4, 5]})
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
        self.assertIn("channel 1",
                      self.refused("bad_parameter", 400, "bn", "infer?inverse=true", {"data": [[1, 2]]})["detail"])
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


if __name__ == "__main__":
    unittest.main()
