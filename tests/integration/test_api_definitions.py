# SPDX-License-Identifier: MIT
"""Definitions: their fields, what they are resolved to, and refusals that name the field."""

import unittest

from definitions import BATCH_NORM, GROUP_NORM, INSTANCE_NORM, LAYER_NORM, RMS_NORM
from normd import DaemonTest


class DefinitionTest(DaemonTest):
    def resolved(self, definition, layer="bn"):
        shown = self.put_layer(layer, definition).json
        self.assertIs(shown.pop("frozen"), False)
        return shown

    def test_batch_norm_defaults(self):
        self.assertEqual(self.resolved({"kind": "batch_norm"}), BATCH_NORM)

    def test_layer_norm_defaults(self):
        self.assertEqual(self.resolved({"kind": "layer_norm", "normalized_shape": [3]}), LAYER_NORM)

    def test_the_other_kinds_defaults(self):
        for wanted, needed in ((INSTANCE_NORM, ("num_features",)), (GROUP_NORM, ("num_groups", "num_channels")),
                               (RMS_NORM, ("normalized_shape",))):
            asked = {name: wanted[name] for name in ("kind", *needed)}
            self.assertEqual(self.resolved(asked, wanted["kind"]), wanted)

    def test_the_other_kinds_fields_as_given(self):
        for i, given in enumerate((
            {**INSTANCE_NORM, "momentum": 0.5, "affine": True, "track_running_stats": True, "eps": 0, "clip": 2.5},
            {**GROUP_NORM, "convention": "flax", "num_groups": 6, "affine": False},
            {**RMS_NORM, "eps": None, "elementwise_affine": False, "normalized_shape": [2, 2]},
            {**BATCH_NORM, "renorm": {"r_max": 1, "d_max": 0}},
        )):
            self.assertEqual(self.resolved(given, f"l{i}"), given)
            self.assertEqual(self.call("GET", self.path(f"l{i}")).json, {**given, "frozen": False})
        self.assertEqual(self.resolved({"kind": "batch_norm", "renorm": {}}, "renorm")["renorm"],
                         {"r_max": 3, "d_max": 5})

    def test_conventions_set_every_kind_s_defaults(self):
        for kind, keras, flax in (("instance_norm", 1e-3, 1e-6), ("group_norm", 1e-3, 1e-6), ("rms_norm", 1e-6, 1e-6)):
            needed = {"instance_norm": {}, "group_norm": {"num_groups": 1, "num_channels": 2},
                      "rms_norm": {"normalized_shape": 2}}[kind]
            for convention, eps, momentum in (("keras", keras, 0.99), ("flax", flax, 0.99), ("onnx", 1e-5, 0.9)):
                shown = self.resolved({"kind": kind, "convention": convention, **needed}, f"{kind}-{convention}")
                self.assertEqual(shown["eps"], eps)
                self.assertEqual(shown.get("momentum"), momentum if kind == "instance_norm" else None)

    def test_layer_norm_shape_as_a_number(self):
        self.assertEqual(self.resolved({"kind": "layer_norm", "normalized_shape": 3}), LAYER_NORM)

    def test_layer_norm_shape_of_several_dimensions(self):
        for i, shape in enumerate(([2, 1, 5], [1] * 32, [2**20, 2**20])):
            definition = {**LAYER_NORM, "normalized_shape": shape}
            self.assertEqual(self.resolved(definition, f"l{i}"), definition)

    def test_every_batch_norm_field_as_given(self):
        given = {
            "kind": "batch_norm",
            "convention": "flax",
            "num_features": 7,
            "eps": 0.25,
            "momentum": 0.625,
            "averaging": "exponential",
            "half_life": None,
            "affine": False,
            "track_running_stats": False,
            "channel_axis": -2,
            "unbiased_running_var": True,
            "virtual_batch_size": 8,
            "shuffle": True,
            "renorm": None,
            "normalize_by": "batch",
            "with_mean": True,
            "min_std": None,
            "clip": 10,
            "datatype": "FP64",
        }
        self.assertEqual(self.resolved(given), given)
        self.assertEqual(self.call("GET", self.path()).json, {**given, "frozen": False})

    def test_every_field_of_statistics_kept_online_as_given(self):
        given = {**BATCH_NORM, "averaging": "decayed", "half_life": 1.5, "momentum": None, "normalize_by": "running",
                 "with_mean": False, "min_std": 1e-6, "unbiased_running_var": False}
        self.assertEqual(self.resolved(given), given)
        self.assertEqual(self.call("GET", self.path()).json, {**given, "frozen": False})

    def test_decayed_averaging_keeps_the_biased_variance(self):
        given = {"kind": "batch_norm", "averaging": "decayed", "half_life": 10}
        self.assertIs(self.resolved(given)["unbiased_running_var"], False)
        self.assertIs(self.resolved({**given, "unbiased_running_var": True}, "u")["unbiased_running_var"], True)

    def test_every_layer_norm_field_as_given(self):
        given = {**LAYER_NORM, "convention": "onnx", "eps": 0.5, "bias": False}
        self.assertEqual(self.resolved(given), given)
        self.assertEqual(self.call("GET", self.path()).json, {**given, "frozen": False})

    def test_layer_norm_that_is_not_affine_has_no_bias(self):
        shown = self.resolved({"kind": "layer_norm", "normalized_shape": [3], "elementwise_affine": False})
        self.assertEqual((shown["elementwise_affine"], shown["bias"]), (False, False))

    def test_conventions_set_defaults(self):
        wanted = {
            "pytorch": (1e-5, 0.1, True, 1e-5),
            "keras": (1e-3, 0.99, False, 1e-3),
            "flax": (1e-5, 0.99, False, 1e-6),
            "onnx": (1e-5, 0.9, False, 1e-5),
        }
        for name, (eps, momentum, unbiased, layer_eps) in wanted.items():
            with self.subTest(name):
                bn = self.resolved({"kind": "batch_norm", "convention": name}, f"bn.{name}")
                self.assertEqual((bn["convention"], bn["eps"], bn["momentum"], bn["unbiased_running_var"]),
                                 (name, eps, momentum, unbiased))
                ln = self.resolved({"kind": "layer_norm", "normalized_shape": [3], "convention": name}, f"ln.{name}")
                self.assertEqual((ln["convention"], ln["eps"]), (name, layer_eps))

    def test_conventions_set_what_momentum_weighs(self):
        """The batch 1, 5 has mean 3, variance 4 (biased) or 8; all the numbers are exact in binary."""
        for name, mean, var in (("pytorch", 2.25, 6.25), ("keras", 0.75, 1.75), ("flax", 0.75, 1.75),
                                ("onnx", 0.75, 1.75)):
            with self.subTest(name):
                self.put_layer(name, {"kind": "batch_norm", "convention": name, "momentum": 0.75})
                self.call("POST", self.path(name, "train"), {"data": [[1], [5]]})
                stats = self.call("GET", self.path(name, "statistics")).json
                self.assertEqual((stats["running_mean"]["data"], stats["running_var"]["data"]), ([mean], [var]))

    def test_convention_does_not_override_what_is_said(self):
        self.put_layer("bn",
                       {"kind": "batch_norm", "convention": "keras", "momentum": 0.75, "unbiased_running_var": True})
        self.call("POST", self.path("bn", "train"), {"data": [[1], [5]]})
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json["running_var"]["data"], [2.75])

    def test_keras_and_flax_have_their_channels_last(self):
        """NHWC data of 2 channels: by dimension 1, as before, they would be trained along the height."""
        x = [[[[1, 10], [2, 20], [3, 30]]] * 4]
        for convention, axis in (("pytorch", 1), ("keras", -1), ("flax", -1), ("onnx", 1)):
            shown = self.resolved({"kind": "batch_norm", "convention": convention}, convention)
            self.assertEqual(shown["channel_axis"], axis)
            self.call("POST", self.path(convention, "train?output=false"), {"data": x})
            features = 2 if axis == -1 else 4
            self.assertEqual(self.call("GET", self.path(convention)).json["num_features"], features)
            said = self.resolved({"kind": "batch_norm", "convention": convention, "channel_axis": 2}, f"{convention}.2")
            self.assertEqual(said["channel_axis"], 2)
        for kind, needed in (("instance_norm", {}), ("group_norm", {"num_groups": 1, "num_channels": 2})):
            body = {"kind": kind, "convention": "keras", **needed, "data": [[[1, 2, 3], [4, 5, 9]]], "lengths": [2]}
            self.assertEqual(self.call("POST", "/v1/normalize", body).json["shape"], [1, 2, 3])

    def test_null_counts_as_absent(self):
        """A typed client writes unset members as null or defaults, also those of other kinds."""
        everything = {name for kind in (BATCH_NORM, LAYER_NORM, INSTANCE_NORM, GROUP_NORM, RMS_NORM) for name in kind}
        for kind, needed in ((BATCH_NORM, ()), (LAYER_NORM, ("normalized_shape",)), (INSTANCE_NORM, ("num_features",)),
                             (GROUP_NORM, ("num_groups", "num_channels")), (RMS_NORM, ("normalized_shape",))):
            null = dict.fromkeys(everything - {"kind", *needed})
            meant = {name: kind[name] for name in ("kind", *needed)}
            if "momentum" in kind:
                del null["momentum"]  # cumulative
            if kind is RMS_NORM:
                del null["eps"]  # the datatype's
            self.assertEqual(self.resolved({**null, **meant}, kind["kind"]), kind)
            self.put_layer(kind["kind"], meant, status=200)
        self.assertEqual(self.resolved({"kind": "batch_norm", "renorm": {"r_max": None, "d_max": 2}},
                                       "renorm")["renorm"], {"r_max": 3, "d_max": 2})

    def test_suggestions(self):
        for definition, meant in (
            ({"kind": "batch_norm", "epsilon": 1e-3}, "eps"),
            ({"kind": "batch_norm", "momentun": 0.1}, "momentum"),
            ({"kind": "batch_norm", "axis": 1}, "channel_axis"),
            ({"kind": "batch_norm", "num_channels": 4}, "num_features"),
            ({"kind": "layer_norm", "normalized_shape": 3, "affine": True}, "elementwise_affine"),
            ({"kind": "batchnorm"}, "batch_norm"),
            ({"kind": "BatchNorm2d"}, "batch_norm"),
            ({"kind": "LayerNorm"}, "layer_norm"),
            ({"kind": "batch_norm", "averaging": "exponental"}, "exponential"),
            ({"kind": "batch_norm", "convention": "torch"}, "pytorch"),
            ({"kind": "batch_norm", "datatype": "float64"}, "FP64"),
            ({"kind": "batch_norm", "renorm": {"rmax": 2}}, "r_max"),
            ({"kind": "batch_norm", "center": False}, "affine"),
            ({"kind": "layer_norm", "normalised_shape": 3}, "normalized_shape"),
            ({"kind": "group_norm", "groups": 2, "num_channels": 4}, "num_groups"),
        ):
            for method, path, body in (("PUT", self.path(), definition),
                                       ("POST", "/v1/normalize", {"definition": definition, "data": [[1, 2]]})):
                self.assertIn(f'did you mean "{meant}"?',
                              self.refused("bad_parameter", 400, method, path, body).json["detail"])
        self.assertNotIn("did you mean",
                         self.refused("bad_parameter", 400, "PUT", self.path(), {"kind": "weight_norm"}).json["detail"])

    def test_suggestions_beside_a_definition(self):
        data = {"kind": "batch_norm", "data": [[1], [2]]}
        for member, meant in (("gamma", "weight"), ("lenghts", "lengths"), ("dtype", "datatype")):
            told = self.refused("bad_parameter", 400, "POST", "/v1/normalize", {**data, member: [1]})
            self.assertIn(f'did you mean "{meant}"?', told.json["detail"])
        told = self.refused("bad_parameter", 400, "PUT", self.path(), {"type": "batch_norm"})
        self.assertEqual(told.json["detail"], 'a definition needs a "kind"; it has "type" instead')

    def test_momentum_null_is_cumulative(self):
        shown = self.resolved({"kind": "batch_norm", "momentum": None})
        self.assertEqual((shown["averaging"], shown["momentum"]), ("cumulative", None))
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "cumulative"}, status=200)

    def test_pooled_is_biased_unless_said(self):
        shown = self.resolved({"kind": "batch_norm", "averaging": "pooled"})
        self.assertEqual((shown["averaging"], shown["momentum"], shown["unbiased_running_var"]),
                         ("pooled", None, False))
        shown = self.resolved({"kind": "batch_norm", "averaging": "pooled", "momentum": None,
                               "unbiased_running_var": True}, "b")
        self.assertEqual((shown["averaging"], shown["unbiased_running_var"]), ("pooled", True))

    def test_exponential_needs_a_momentum(self):
        for order in (("averaging", "momentum"), ("momentum", "averaging")):
            values = {"averaging": "exponential", "momentum": None}
            body = {"kind": "batch_norm", **{k: values[k] for k in order}}
            self.assertIn("momentum", self.refused("bad_parameter", 400, "PUT", self.path(), body).json["detail"])

    def test_fields_in_any_order(self):
        fields = list({**BATCH_NORM, "num_features": 4, "convention": "onnx", "momentum": None,
                       "averaging": "pooled"}.items())
        first = self.resolved(dict(fields), "forward")
        self.assertEqual(self.resolved(dict(reversed(fields)), "backward"), first)

    def test_limits_are_included(self):
        for i, (field, value) in enumerate(
            [("eps", 0), ("eps", 1e30), ("momentum", 0), ("momentum", 1), ("momentum", 1.0), ("num_features", 1),
             ("num_features", 2**40)]
            + [("channel_axis", axis) for axis in range(-5, 5)]
        ):
            with self.subTest(field=field, value=value):
                self.assertEqual(self.resolved({"kind": "batch_norm", field: value}, f"l{i}")[field], value)

    BAD = [
        # (definition, the field that the answer must name)
        ({}, "kind"),
        ({"num_features": 3}, "kind"),
        ({"kind": "batchnorm"}, "kind"),
        ({"kind": "BATCH_NORM"}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": "group_norm"}, "num_groups"),
        ({"kind": "group_norm", "num_groups": 2}, "num_channels"),
        ({"kind": "group_norm", "num_groups": 4, "num_channels": 6}, "num_groups"),
        ({"kind": "group_norm", "num_groups": 0, "num_channels": 6}, "num_groups"),
        ({"kind": "group_norm", "num_groups": 2, "num_channels": 6, "num_features": 6}, "num_features"),
        ({"kind": "group_norm", "num_groups": 2, "num_channels": 6, "momentum": 0.1}, "momentum"),
        ({"kind": "rms_norm"}, "normalized_shape"),
        ({"kind": "rms_norm", "normalized_shape": 3, "bias": True}, "bias"),
        ({"kind": "instance_norm", "num_features": 0}, "num_features"),
        ({"kind": "instance_norm", "num_features": 2, "channel_axis": 1}, "channel_axis"),
        ({"kind": "instance_norm", "num_features": 2, "averaging": "pooled"}, "averaging"),
        ({"kind": "batch_norm", "convention": "tensorflow"}, "convention"),
        ({"kind": "batch_norm", "averaging": "median"}, "averaging"),
        ({"kind": "batch_norm", "averaging": True}, "averaging"),
        ({"kind": "batch_norm", "num_features": 0}, "num_features"),
        ({"kind": "batch_norm", "num_features": -1}, "num_features"),
        ({"kind": "batch_norm", "num_features": 1.5}, "num_features"),
        ({"kind": "batch_norm", "num_features": 2**40 + 1}, "num_features"),
        ({"kind": "batch_norm", "num_features": 2**64 + 1}, "num_features"),
        ({"kind": "batch_norm", "num_features": "3"}, "num_features"),
        ({"kind": "batch_norm", "num_features": [3]}, "num_features"),
        ({"kind": "batch_norm", "eps": -1e-9}, "eps"),
        ({"kind": "batch_norm", "eps": 1.1e30}, "eps"),
        ({"kind": "batch_norm", "eps": "1e-5"}, "eps"),
        ({"kind": "batch_norm", "momentum": -0.1}, "momentum"),
        ({"kind": "batch_norm", "momentum": 1.0000001}, "momentum"),
        ({"kind": "batch_norm", "momentum": "0.1"}, "momentum"),
        ({"kind": "batch_norm", "momentum": True}, "momentum"),
        ({"kind": "batch_norm", "affine": 1}, "affine"),
        ({"kind": "batch_norm", "affine": "true"}, "affine"),
        ({"kind": "batch_norm", "track_running_stats": 0}, "track_running_stats"),
        ({"kind": "batch_norm", "unbiased_running_var": 0}, "unbiased_running_var"),
        ({"kind": "batch_norm", "channel_axis": 5}, "channel_axis"),
        ({"kind": "batch_norm", "channel_axis": -6}, "channel_axis"),
        ({"kind": "batch_norm", "channel_axis": 0.5}, "channel_axis"),
        ({"kind": "batch_norm", "virtual_batch_size": 0}, "virtual_batch_size"),
        ({"kind": "batch_norm", "virtual_batch_size": 1.5}, "virtual_batch_size"),
        ({"kind": "batch_norm", "shuffle": 1}, "shuffle"),
        ({"kind": "batch_norm", "renorm": True}, "renorm"),
        ({"kind": "batch_norm", "renorm": {"r_max": 0.5}}, "renorm.r_max"),
        ({"kind": "batch_norm", "renorm": {"d_max": -1}}, "renorm.d_max"),
        ({"kind": "batch_norm", "renorm": {"t_max": 1}}, "t_max"),
        ({"kind": "batch_norm", "renorm": {}, "track_running_stats": False}, "renorm"),
        ({"kind": "batch_norm", "averaging": "decayed"}, "half_life"),
        ({"kind": "batch_norm", "averaging": "decayed", "half_life": None}, "half_life"),
        ({"kind": "batch_norm", "averaging": "decayed", "half_life": 0}, "half_life"),
        ({"kind": "batch_norm", "averaging": "decayed", "half_life": -1}, "half_life"),
        ({"kind": "batch_norm", "averaging": "decayed", "half_life": "10"}, "half_life"),
        ({"kind": "batch_norm", "averaging": "pooled", "half_life": 10}, "half_life"),
        ({"kind": "batch_norm", "half_life": 10}, "half_life"),
        ({"kind": "instance_norm", "track_running_stats": True, "half_life": 10}, "half_life"),
        ({"kind": "batch_norm", "normalize_by": "runing"}, "normalize_by"),
        ({"kind": "batch_norm", "normalize_by": True}, "normalize_by"),
        ({"kind": "batch_norm", "normalize_by": "running", "track_running_stats": False}, "normalize_by"),
        ({"kind": "batch_norm", "normalize_by": "running", "renorm": {}}, "normalize_by"),
        ({"kind": "layer_norm", "normalized_shape": 3, "normalize_by": "running"}, "normalize_by"),
        ({"kind": "instance_norm", "track_running_stats": True, "normalize_by": "running"}, "normalize_by"),
        ({"kind": "batch_norm", "with_mean": False}, "with_mean"),
        ({"kind": "batch_norm", "with_mean": 0, "normalize_by": "running"}, "with_mean"),
        ({"kind": "batch_norm", "min_std": 0}, "min_std"),
        ({"kind": "batch_norm", "min_std": -1}, "min_std"),
        ({"kind": "batch_norm", "min_std": 1e-6, "track_running_stats": False}, "min_std"),
        ({"kind": "batch_norm", "clip": 0}, "clip"),
        ({"kind": "batch_norm", "datatype": "BF16"}, "datatype"),
        ({"kind": "batch_norm", "datatype": "fp32"}, "datatype"),
        ({"kind": "layer_norm", "normalized_shape": 3, "datatype": 32}, "datatype"),
        ({"kind": "batch_norm", "clip": -5}, "clip"),
        ({"kind": "layer_norm", "normalized_shape": 3, "clip": "5"}, "clip"),
        ({"kind": "batch_norm", "epsilon": 1e-5}, "epsilon"),
        ({"kind": "batch_norm", "Eps": 1e-5}, "Eps"),
        ({"kind": "batch_norm", "normalized_shape": [3]}, "normalized_shape"),
        ({"kind": "batch_norm", "elementwise_affine": True}, "elementwise_affine"),
        ({"kind": "batch_norm", "bias": True}, "bias"),
        ({"kind": "batch_norm", "data": [1, 2]}, "data"),
        ({"kind": "layer_norm"}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": []}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": None}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [0]}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [2, -1]}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [2, "3"]}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [[2]]}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [2**21, 2**20]}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [1] * 33}, "normalized_shape"),
        ({"kind": "layer_norm", "normalized_shape": [3], "momentum": 0.1}, "momentum"),
        ({"kind": "layer_norm", "normalized_shape": [3], "affine": True}, "affine"),
        ({"kind": "layer_norm", "normalized_shape": [3], "bias": [1, 2, 3]}, "bias"),
        ({"kind": "layer_norm", "normalized_shape": [3], "track_running_stats": True}, "track_running_stats"),
        ({"kind": "layer_norm", "normalized_shape": [3], "channel_axis": 1}, "channel_axis"),
    ]

    def test_bad_parameters_are_named(self):
        for definition, field in self.BAD:
            with self.subTest(definition=definition):
                answer = self.refused("bad_parameter", 400, "PUT", self.path(), definition)
                self.assertIn(f'"{field}"', answer.json["detail"])
        self.refused("no_such_model", 404, "GET", f"/v1/models/{self.model}")

    def test_fields_that_are_out_of_range_are_named_with_their_limits(self):
        for definition, words in (
            ({"kind": "group_norm", "num_groups": 4, "num_channels": 6}, ('"num_channels"', '"num_groups"', "6", "4")),
            ({"kind": "group_norm", "num_groups": 7, "num_channels": 6}, ('"num_channels"', "multiple")),
            ({"kind": "group_norm", "num_groups": 2**41, "num_channels": 6}, ('"num_groups"', "1 to 2^40")),
            ({"kind": "group_norm", "num_groups": 1, "num_channels": 0}, ('"num_channels"', "1 to 2^40")),
            ({"kind": "group_norm", "num_groups": 1, "num_channels": 6, "eps": -1}, ('"eps"', "0 to 1e+30")),
            ({"kind": "instance_norm", "momentum": 1.5}, ('"momentum"', "0 to 1")),
            ({"kind": "instance_norm", "num_features": 2**41}, ('"num_features"', "1 to 2^40")),
            ({"kind": "rms_norm", "normalized_shape": [2, 0]}, ('"normalized_shape"', "1 to 2^40")),
            ({"kind": "rms_norm", "normalized_shape": 2, "eps": 1e31}, ('"eps"', "0 to 1e+30")),
            ({"kind": "batch_norm", "virtual_batch_size": -1}, ('"virtual_batch_size"', "1 to 2^40")),
            ({"kind": "batch_norm", "renorm": {"r_max": 0.99}}, ('"renorm.r_max"', "1 to 1e+30")),
            ({"kind": "batch_norm", "renorm": {"d_max": -0.1}}, ('"renorm.d_max"', "0 to 1e+30")),
            ({"kind": "layer_norm", "normalized_shape": 2, "clip": 0}, ('"clip"', "1e-30 to 1e+30")),
            ({"kind": "rms_norm", "normalized_shape": 2, "clip": True}, ('"clip"', "number")),
        ):
            for method, path in (("PUT", self.path("bad")), ("POST", "/v1/normalize")):
                body = definition if method == "PUT" else {"definition": definition, "data": [[1, 2]]}
                answer = self.refused("bad_parameter", 400, method, path, body)
                for word in words:
                    self.assertIn(word, answer.json["detail"], definition)
        self.refused("no_such_model", 404, "GET", self.path("bad"))

    def test_numbers_beyond_double_are_refused(self):
        for text, field in (('"eps":1e999', "eps"), ('"momentum":-1e999', "momentum"),
                            ('"num_features":1e999', "num_features")):
            answer = self.refused("bad_parameter", 400, "PUT", self.path(), '{"kind":"batch_norm",' + text + "}")
            self.assertIn(f'"{field}"', answer.json["detail"])

    def test_a_definition_is_an_object(self):
        for body in ("[]", '"batch_norm"', "null", "3", "true", '[{"kind":"batch_norm"}]'):
            with self.subTest(body):
                self.refused("bad_parameter", 400, "PUT", self.path(), body)
        for body in ("", "{", '{"kind":"batch_norm"', "kind"):
            with self.subTest(body):
                self.refused("bad_json", 400, "PUT", self.path(), body)


if __name__ == "__main__":
    unittest.main()
