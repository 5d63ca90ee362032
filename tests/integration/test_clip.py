# SPDX-License-Identifier: MIT
"""The option clip: the answer within its limit, and nothing else changed."""

import unittest

import numpy

import npy
from kinds import KINDS, KindTest
from normd import undigested

RANDOM = numpy.random.default_rng(31)


class Clip(KindTest):
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
        open_, clipped = (self.ask("GET", self.path(name, "statistics")).json for name in ("open", "clip"))
        self.assertEqual(undigested(open_), undigested(clipped))

    def test_clip_does_not_hide_what_does_not_fit(self):
        """An infinity is refused, not limited: it may be the end of a sum that means nothing."""
        self.put("bn", {"kind": "batch_norm", "clip": 10})
        body = {"datatype": "FP16", "data": [[1], [2], [4]]}
        self.ask("POST", self.path("bn", "train"), body)
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1e6]})
        for call in ("train", "infer"):
            self.refused("non_finite_input", 422, "bn", call, body)


if __name__ == "__main__":
    unittest.main()
