# SPDX-License-Identifier: MIT
"""Definitions that the store has: after a restart, and from versions that had fewer fields."""

import json
import sqlite3
import unittest

from kinds import KindTest

# Fields that earlier versions did not have.
NEW = ("virtual_batch_size", "shuffle", "renorm", "clip", "datatype", "half_life", "normalize_by",
       "with_mean", "min_std")


class Stored(KindTest):
    def test_every_definition_stands_after_a_restart(self):
        definitions = {f"l{i}": definition for i, definition in enumerate((
            {"kind": "batch_norm", "virtual_batch_size": 3, "shuffle": True, "renorm": {"r_max": 1.5, "d_max": 0.1},
             "clip": 2.5},
            {"kind": "instance_norm", "track_running_stats": True, "momentum": None, "clip": 1e-30},
            {"kind": "group_norm", "num_groups": 2, "num_channels": 6, "convention": "keras"},
            {"kind": "rms_norm", "normalized_shape": [2, 3], "eps": None}))}
        shown = {layer: self.put(layer, definition) for layer, definition in definitions.items()}
        self.client.close()
        self.daemon.kill()
        self.daemon.start()
        self.client = self.daemon.client()
        for layer, definition in definitions.items():
            self.assertEqual(self.ask("GET", self.path(layer)).json, shown[layer])
            self.ask("PUT", self.path(layer), definition)
            self.ask("PUT", self.path(layer), shown[layer])
            self.ask("PUT", self.path(layer), {**definition, "eps": 0.5}, status=409)

    def test_definitions_of_before_there_were_these_options(self):
        """Definitions stored without the newer fields keep their meaning: the defaults."""
        self.put("bn", {"kind": "batch_norm", "momentum": 0.25})
        self.put("ln", {"kind": "layer_norm", "normalized_shape": [3]})
        # Stored when channels were in dimension 1 under every convention.
        self.put("keras", {"kind": "batch_norm", "convention": "keras", "channel_axis": 1})
        self.client.close()
        self.daemon.stop()
        db = sqlite3.connect(self.daemon.store[len("sqlite:"):])
        with db:
            layers = db.execute(
                "SELECT l.id, l.definition FROM layer l JOIN model m ON m.id = l.model_id WHERE m.name = ?",
                (self.model,)).fetchall()
            self.assertEqual(len(layers), 3)
            for layer, text in layers:
                old = {key: value for key, value in json.loads(text).items() if key not in NEW}
                self.assertLess(len(old), len(json.loads(text)))
                db.execute("UPDATE layer SET definition = ? WHERE id = ?", (json.dumps(old), layer))
        db.close()
        self.daemon.start()
        self.client = self.daemon.client()
        self.ask("PUT", self.path("bn"), {"kind": "batch_norm", "momentum": 0.25})
        self.ask("PUT", self.path("ln"), {"kind": "layer_norm", "normalized_shape": [3], "clip": None})
        self.assertIs(self.ask("GET", self.path("bn")).json["shuffle"], False)
        self.assertEqual(self.ask("GET", self.path("bn")).json["datatype"], "FP32")
        self.assertEqual(self.ask("GET", self.path("keras")).json["channel_axis"], 1)
        self.ask("PUT", self.path("keras"), {"kind": "batch_norm", "convention": "keras"}, status=409)
        self.ask("PUT", self.path("bn"), {"kind": "batch_norm", "momentum": 0.25, "clip": 1}, status=409)


if __name__ == "__main__":
    unittest.main()
