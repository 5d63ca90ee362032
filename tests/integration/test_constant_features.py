# SPDX-License-Identifier: MIT
"""A constant feature where eps is 0 cannot be normalized; the error says which feature it is,
in every kind and call."""

import unittest

from kinds import KindTest

# Of (2, 4, 3): sample 1's channels 2 and 3 are constant, and equal; channel 2 of the batch is not.
X = [[[1, 2, 4], [3, 1, 2], [5, 6, 7], [1, 2, 3]], [[4, 1, 0], [2, 3, 9], [8, 8, 8], [8, 8, 8]]]
CHANNEL = [[1, 7, 2], [3, 7, 5], [4, 7, 1]]


class Constant(KindTest):
    def told(self, layer, call, body):
        return self.refused("non_finite_input", 422, layer, call, body)["detail"]

    def test_batch_norm(self):
        self.put("bn", {"kind": "batch_norm", "eps": 0})
        self.assertIn("channel 1 is constant", self.told("bn", "train", {"data": CHANNEL}))
        self.assertIn('"eps"', self.told("bn", "train", {"data": CHANNEL}))
        self.assertIn("channel 1", self.told("bn", "backward", {"input": CHANNEL, "grad_output": CHANNEL}))
        self.assertIn("channel 1 is constant",
                      self.told("bn", "train", {"data": CHANNEL, "sync": {"step": 1, "rank": 0, "world_size": 1}}))
        self.assertIn("channel 2",
                      self.told("bn", "train",
                                {"data": [[[1, 2], [3, 1], [5, 5]], [[4, 1], [2, 3], [5, 9]]], "lengths": [2, 1]}))
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [1, 2, 3], "running_var": [1, 1, 0]})
        self.assertIn("channel 2 is constant", self.told("bn", "infer", {"data": CHANNEL}))
        self.assertIn("feature 2", self.ask("GET", self.path("bn", "affine"), status=422).json["detail"])
        self.put("ghosts", {"kind": "batch_norm", "eps": 0, "virtual_batch_size": 2})
        self.assertIn("channel 0 is constant", self.told("ghosts", "train", {"data": [[1, 2], [2, 3], [5, 1], [5, 2]]}))
        self.put("untracked", {"kind": "batch_norm", "eps": 0, "track_running_stats": False})
        self.assertIn("channel 1 is constant", self.told("untracked", "infer", {"data": CHANNEL}))

    def test_kinds_by_sample(self):
        for name, definition, where in (
            ("instance", {"kind": "instance_norm"}, "channel 2 of a sample"),
            ("tracking", {"kind": "instance_norm", "track_running_stats": True}, "channel 2 of a sample"),
            ("group", {"kind": "group_norm", "num_groups": 2, "num_channels": 4}, "channel 2 of a sample"),
            ("layer", {"kind": "layer_norm", "normalized_shape": 3}, "row 6"),
        ):
            self.put(name, {**definition, "eps": 0})
            calls = ("train", "backward") if name == "tracking" else ("train", "infer", "backward")
            for call in calls:
                body = {"input": X, "grad_output": X} if call == "backward" else {"data": X}
                detail = self.told(name, call, body)
                self.assertIn(where, detail, name)
                self.assertIn('"eps"', detail)
        self.put("rms", {"kind": "rms_norm", "normalized_shape": 3, "eps": 0})
        self.assertIn("row 1", self.told("rms", "infer", {"data": [[1, 2, 3], [0, 0, 0]]}))

    def test_what_overflows_is_named_too(self):
        self.put("bn", {"kind": "batch_norm"})
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [0, 0], "running_var": [1, 1e-4]})
        detail = self.told("bn", "infer", {"datatype": "FP16", "data": [[1, 1], [1, 65504]]})
        self.assertIn("channel 1", detail)
        self.assertIn("FP16", detail)


if __name__ == "__main__":
    unittest.main()
