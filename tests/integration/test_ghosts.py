# SPDX-License-Identifier: MIT
"""Ghost batches: pieces of a batch, each normalized by itself, and one update for each in one change."""

import math
import unittest

import numpy

from kinds import KindTest
from normd import undigested

RANDOM = numpy.random.default_rng(41)


class Ghosts(KindTest):
    def in_pieces(self, x, each, layer="one"):
        """A plain layer's answers to the pieces, one after the other."""
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
                self.assertEqual(undigested({**one_by_one, "revision": revision}), undigested(at_once))
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
        self.assertEqual(self.ask("GET", self.path("only", "statistics")).raw,
                         self.ask("GET", self.path("last", "statistics")).raw)

    def test_a_layer_that_does_not_track(self):
        x = RANDOM.standard_normal((8, 3))
        self.put("one", {"kind": "batch_norm", "track_running_stats": False})
        self.put("ghosts", {"kind": "batch_norm", "track_running_stats": False, "virtual_batch_size": 4})
        answer = self.train("ghosts", x).json
        self.assertEqual((answer["num_batches_tracked"], answer["revision"]), (0, 0))
        self.assertEqual(answer["data"], self.in_pieces(x, 4).tolist())
        self.assertEqual(self.infer("ghosts", x).tolist(), self.infer("one", x).tolist(),
                         "inference knows no ghost batches")

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
            self.assertIn("dimension 0",
                          self.refused("shape_mismatch", 422, layer, "train", {"data": [[1, 2], [3, 4]]})["detail"])

    def test_an_output_that_does_not_fit_stores_nothing(self):
        """The update is submitted before the output is computed, unless computing it might fail."""
        body = {"datatype": "FP16", "data": [[1], [2], [4], [3]]}
        for name, values in (("weight", 1e6), ("bias", 1e5)):
            self.put(name, {"kind": "batch_norm", "num_features": 1, "virtual_batch_size": 2})
            self.ask("PUT", self.path(name, "parameters"), {name: [values]})
            self.refused("non_finite_input", 422, name, "train", body)
            told = self.ask("POST", self.path(name, "train"), {**body, "output": False}).json
            self.assertEqual(told["num_batches_tracked"], 2)

    def test_the_stateless_call(self):
        """The stateless call cuts batches as training does; a seed or running statistics need a layer."""
        x = RANDOM.standard_normal((11, 3, 2))
        self.put("one", {"kind": "batch_norm"})
        expected = self.in_pieces(x, 4).tolist()
        self.assertEqual(self.normalize_once({"kind": "batch_norm", "virtual_batch_size": 4}, x), expected)
        for option in ({"shuffle": True}, {"renorm": {}}):
            answer = self.ask("POST", "/v1/normalize", {"kind": "batch_norm", **option, "data": x.tolist()}, status=400)
            self.assertEqual(answer.code, "bad_parameter")
            self.assertIn(f'"{next(iter(option))}"', answer.json["detail"])
        self.ask("POST", "/v1/normalize", {"kind": "batch_norm", "shuffle": False, "renorm": None, "data": x.tolist()})


if __name__ == "__main__":
    unittest.main()
