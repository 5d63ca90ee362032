"""Layers: what a definition may say and is resolved to, how models and layers come, are listed and go."""

import unittest
from urllib.parse import quote

from normd import DaemonTest

BATCH_NORM = {
    "kind": "batch_norm",
    "convention": "pytorch",
    "num_features": None,
    "eps": 1e-5,
    "momentum": 0.1,
    "averaging": "exponential",
    "affine": True,
    "track_running_stats": True,
    "channel_axis": 1,
    "unbiased_running_var": True,
    "virtual_batch_size": None,
    "shuffle": False,
    "renorm": None,
    "clip": None,
}
LAYER_NORM = {
    "kind": "layer_norm",
    "convention": "pytorch",
    "normalized_shape": [3],
    "eps": 1e-5,
    "elementwise_affine": True,
    "bias": True,
    "clip": None,
}
INSTANCE_NORM = {
    "kind": "instance_norm",
    "convention": "pytorch",
    "num_features": 3,
    "eps": 1e-5,
    "momentum": 0.1,
    "affine": False,
    "track_running_stats": False,
    "clip": None,
}
GROUP_NORM = {
    "kind": "group_norm",
    "convention": "pytorch",
    "num_groups": 2,
    "num_channels": 6,
    "eps": 1e-5,
    "affine": True,
    "clip": None,
}
RMS_NORM = {
    "kind": "rms_norm",
    "convention": "pytorch",
    "normalized_shape": [3],
    "eps": 1e-5,
    "elementwise_affine": True,
    "clip": None,
}


class DefinitionTest(DaemonTest):
    def resolved(self, definition, layer="bn"):
        return self.put_layer(layer, definition).json

    def test_batch_norm_defaults(self):
        self.assertEqual(self.resolved({"kind": "batch_norm"}), BATCH_NORM)

    def test_layer_norm_defaults(self):
        self.assertEqual(self.resolved({"kind": "layer_norm", "normalized_shape": [3]}), LAYER_NORM)

    def test_the_other_kinds_defaults(self):
        for wanted, needed in ((INSTANCE_NORM, ("num_features",)), (GROUP_NORM, ("num_groups", "num_channels")), (RMS_NORM, ("normalized_shape",))):
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
            self.assertEqual(self.call("GET", self.path(f"l{i}")).json, given)
        self.assertEqual(self.resolved({"kind": "batch_norm", "renorm": {}}, "renorm")["renorm"], {"r_max": 3, "d_max": 5})

    def test_conventions_set_every_kind_s_eps(self):
        for kind, keras, flax in (("instance_norm", 1e-3, 1e-6), ("group_norm", 1e-3, 1e-6), ("rms_norm", 1e-6, 1e-6)):
            needed = {"instance_norm": {}, "group_norm": {"num_groups": 1, "num_channels": 2}, "rms_norm": {"normalized_shape": 2}}[kind]
            for convention, eps in (("keras", keras), ("flax", flax), ("onnx", 1e-5)):
                shown = self.resolved({"kind": kind, "convention": convention, **needed}, f"{kind}-{convention}")
                self.assertEqual(shown["eps"], eps)

    def test_layer_norm_shape_as_a_number(self):
        self.assertEqual(self.resolved({"kind": "layer_norm", "normalized_shape": 3}), LAYER_NORM)

    def test_layer_norm_shape_of_several_dimensions(self):
        definition = {**LAYER_NORM, "normalized_shape": [2, 1, 5]}
        self.assertEqual(self.resolved(definition), definition)

    def test_every_batch_norm_field_as_given(self):
        given = {
            "kind": "batch_norm",
            "convention": "flax",
            "num_features": 7,
            "eps": 0.25,
            "momentum": 0.625,
            "averaging": "exponential",
            "affine": False,
            "track_running_stats": False,
            "channel_axis": -2,
            "unbiased_running_var": True,
            "virtual_batch_size": 8,
            "shuffle": True,
            "renorm": None,
            "clip": 10,
        }
        self.assertEqual(self.resolved(given), given)
        self.assertEqual(self.call("GET", self.path()).json, given)

    def test_every_layer_norm_field_as_given(self):
        given = {**LAYER_NORM, "convention": "onnx", "eps": 0.5, "bias": False}
        self.assertEqual(self.resolved(given), given)
        self.assertEqual(self.call("GET", self.path()).json, given)

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
                self.assertEqual((bn["convention"], bn["eps"], bn["momentum"], bn["unbiased_running_var"]), (name, eps, momentum, unbiased))
                ln = self.resolved({"kind": "layer_norm", "normalized_shape": [3], "convention": name}, f"ln.{name}")
                self.assertEqual((ln["convention"], ln["eps"]), (name, layer_eps))

    def test_conventions_set_what_momentum_weighs(self):
        """The batch 1, 5 has mean 3, variance 4 (biased) or 8; all the numbers are exact in binary."""
        for name, mean, var in (("pytorch", 2.25, 6.25), ("keras", 0.75, 1.75), ("flax", 0.75, 1.75), ("onnx", 0.75, 1.75)):
            with self.subTest(name):
                self.put_layer(name, {"kind": "batch_norm", "convention": name, "momentum": 0.75})
                self.call("POST", self.path(name, "train"), {"data": [[1], [5]]})
                stats = self.call("GET", self.path(name, "statistics")).json
                self.assertEqual((stats["running_mean"]["data"], stats["running_var"]["data"]), ([mean], [var]))

    def test_convention_does_not_override_what_is_said(self):
        self.put_layer("bn", {"kind": "batch_norm", "convention": "keras", "momentum": 0.75, "unbiased_running_var": True})
        self.call("POST", self.path("bn", "train"), {"data": [[1], [5]]})
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json["running_var"]["data"], [2.75])

    def test_momentum_null_is_cumulative(self):
        shown = self.resolved({"kind": "batch_norm", "momentum": None})
        self.assertEqual((shown["averaging"], shown["momentum"]), ("cumulative", None))
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "cumulative"}, status=200)

    def test_pooled_is_biased_unless_said(self):
        shown = self.resolved({"kind": "batch_norm", "averaging": "pooled"})
        self.assertEqual((shown["averaging"], shown["momentum"], shown["unbiased_running_var"]), ("pooled", None, False))
        shown = self.resolved({"kind": "batch_norm", "averaging": "pooled", "momentum": None, "unbiased_running_var": True}, "b")
        self.assertEqual((shown["averaging"], shown["unbiased_running_var"]), ("pooled", True))

    def test_exponential_needs_a_momentum(self):
        for order in (("averaging", "momentum"), ("momentum", "averaging")):
            values = {"averaging": "exponential", "momentum": None}
            body = {"kind": "batch_norm", **{k: values[k] for k in order}}
            self.assertIn("momentum", self.refused("bad_parameter", 400, "PUT", self.path(), body).json["detail"])

    def test_fields_in_any_order(self):
        fields = list({**BATCH_NORM, "num_features": 4, "convention": "onnx", "momentum": None, "averaging": "pooled"}.items())
        first = self.resolved(dict(fields), "forward")
        self.assertEqual(self.resolved(dict(reversed(fields)), "backward"), first)

    def test_limits_are_included(self):
        for i, (field, value) in enumerate(
            [("eps", 0), ("eps", 1e30), ("momentum", 0), ("momentum", 1), ("momentum", 1.0), ("num_features", 1), ("num_features", 2**40)]
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
        ({"kind": "instance_norm", "num_features": 2, "eps": None}, "eps"),
        ({"kind": "batch_norm", "convention": "tensorflow"}, "convention"),
        ({"kind": "batch_norm", "convention": None}, "convention"),
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
        ({"kind": "batch_norm", "eps": None}, "eps"),
        ({"kind": "batch_norm", "momentum": -0.1}, "momentum"),
        ({"kind": "batch_norm", "momentum": 1.0000001}, "momentum"),
        ({"kind": "batch_norm", "momentum": "0.1"}, "momentum"),
        ({"kind": "batch_norm", "momentum": True}, "momentum"),
        ({"kind": "batch_norm", "affine": 1}, "affine"),
        ({"kind": "batch_norm", "affine": "true"}, "affine"),
        ({"kind": "batch_norm", "affine": None}, "affine"),
        ({"kind": "batch_norm", "track_running_stats": 0}, "track_running_stats"),
        ({"kind": "batch_norm", "unbiased_running_var": 0}, "unbiased_running_var"),
        ({"kind": "batch_norm", "channel_axis": 5}, "channel_axis"),
        ({"kind": "batch_norm", "channel_axis": -6}, "channel_axis"),
        ({"kind": "batch_norm", "channel_axis": 0.5}, "channel_axis"),
        ({"kind": "batch_norm", "channel_axis": None}, "channel_axis"),
        ({"kind": "batch_norm", "virtual_batch_size": 0}, "virtual_batch_size"),
        ({"kind": "batch_norm", "virtual_batch_size": 1.5}, "virtual_batch_size"),
        ({"kind": "batch_norm", "shuffle": 1}, "shuffle"),
        ({"kind": "batch_norm", "renorm": True}, "renorm"),
        ({"kind": "batch_norm", "renorm": {"r_max": 0.5}}, "renorm.r_max"),
        ({"kind": "batch_norm", "renorm": {"d_max": -1}}, "renorm.d_max"),
        ({"kind": "batch_norm", "renorm": {"t_max": 1}}, "t_max"),
        ({"kind": "batch_norm", "renorm": {}, "track_running_stats": False}, "renorm"),
        ({"kind": "batch_norm", "clip": 0}, "clip"),
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

    def test_numbers_beyond_double_are_refused(self):
        for text, field in (('"eps":1e999', "eps"), ('"momentum":-1e999', "momentum"), ('"num_features":1e999', "num_features")):
            answer = self.refused("bad_parameter", 400, "PUT", self.path(), '{"kind":"batch_norm",' + text + "}")
            self.assertIn(f'"{field}"', answer.json["detail"])

    def test_a_definition_is_an_object(self):
        for body in ("[]", '"batch_norm"', "null", "3", "true", '[{"kind":"batch_norm"}]'):
            with self.subTest(body):
                self.refused("bad_parameter", 400, "PUT", self.path(), body)
        for body in ("", "{", '{"kind":"batch_norm"', "kind"):
            with self.subTest(body):
                self.refused("bad_json", 400, "PUT", self.path(), body)


class PutTest(DaemonTest):
    def test_created_with_location_and_etag(self):
        answer = self.put_layer()
        self.assertEqual(answer.headers["location"], self.path())
        self.assertEqual(answer.headers["etag"], '"0"')
        self.assertEqual(answer.headers["normd-revision"], "0")
        self.assertEqual(answer.headers["content-type"], "application/json")

    def test_the_same_definition_again(self):
        first = self.put_layer("bn", {"kind": "batch_norm", "num_features": 3})
        again = self.put_layer("bn", {"kind": "batch_norm", "eps": 0.00001, "num_features": 3, "momentum": 1e-1}, status=200)
        self.assertEqual(again.json, first.json)
        self.assertEqual(again.headers["etag"], first.headers["etag"])

    def test_what_get_shows_can_be_put(self):
        definitions = [
            {"kind": "batch_norm"},
            {"kind": "batch_norm", "momentum": None, "num_features": 2},
            {"kind": "batch_norm", "averaging": "pooled", "unbiased_running_var": True},
            {"kind": "batch_norm", "convention": "keras", "momentum": 1 / 3, "eps": 5e-324},
            {"kind": "layer_norm", "normalized_shape": [2, 3], "convention": "flax"},
            {"kind": "layer_norm", "normalized_shape": 4, "elementwise_affine": False},
        ]
        for i, definition in enumerate(definitions):
            with self.subTest(definition=definition):
                self.put_layer(f"l{i}", definition)
                shown = self.call("GET", self.path(f"l{i}"))
                self.assertEqual(self.put_layer(f"l{i}", shown.json, status=200).body, shown.body)
                self.assertEqual(self.put_layer(f"copy{i}", shown.json).body, shown.body)

    def test_another_definition_is_refused(self):
        given = {**BATCH_NORM, "num_features": 3}
        self.put_layer("bn", given)
        others = {
            "convention": "onnx",
            "num_features": 4,
            "eps": 1e-4,
            "momentum": 0.2,
            "averaging": "cumulative",
            "affine": False,
            "track_running_stats": False,
            "channel_axis": -1,
            "unbiased_running_var": False,
            "virtual_batch_size": 4,
            "shuffle": True,
            "renorm": {"r_max": 2, "d_max": 2},
            "clip": 5,
        }
        for field, value in others.items():
            with self.subTest(field):
                other = {**given, field: value}
                if field == "averaging":
                    other["momentum"] = None
                answer = self.refused("layer_differs", 409, "PUT", self.path(), other)
                self.assertIn('"num_features":3', answer.json["detail"])
        self.refused("layer_differs", 409, "PUT", self.path(), {"kind": "layer_norm", "normalized_shape": [3]})
        self.assertEqual(self.call("GET", self.path()).json, given)

    def test_another_layer_norm_is_refused(self):
        given = {**LAYER_NORM, "normalized_shape": [2, 3]}
        self.put_layer("ln", given)
        for field, value in {"normalized_shape": [3, 2], "eps": 1e-4, "elementwise_affine": False, "bias": False, "convention": "flax"}.items():
            with self.subTest(field):
                self.refused("layer_differs", 409, "PUT", self.path("ln"), {**given, field: value})
        self.refused("layer_differs", 409, "PUT", self.path("ln"), {**given, "normalized_shape": [6]})

    def test_num_features_is_fixed_by_the_first_batch(self):
        self.assertIsNone(self.put_layer().json["num_features"])
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2, 3], [4, 5, 6]]})
        shown = self.call("GET", self.path()).json
        self.assertEqual(shown["num_features"], 3)
        self.assertEqual(self.put_layer(status=200).json, shown)
        self.put_layer("bn", {"kind": "batch_norm", "num_features": None}, status=200)
        self.put_layer("bn", {"kind": "batch_norm", "num_features": 3}, status=200)
        self.refused("layer_differs", 409, "PUT", self.path(), {"kind": "batch_norm", "num_features": 4})
        answer = self.refused("shape_mismatch", 422, "POST", self.path("bn", "train"), {"data": [[1, 2], [3, 4]]})
        self.assertEqual(answer.json["actual"], "[2,2]")
        self.assertIn("3", answer.json["expected"])

    def test_num_features_given_is_not_num_features_left_out(self):
        self.put_layer("bn", {"kind": "batch_norm", "num_features": 3})
        self.refused("layer_differs", 409, "PUT", self.path(), {"kind": "batch_norm"})

    def test_num_features_is_fixed_by_statistics_parameters_and_moments(self):
        calls = {
            "s": ("PUT", "statistics", {"running_mean": [0, 0], "running_var": [1, 1], "num_batches_tracked": 1}),
            "p": ("PUT", "parameters", {"weight": [1, 1]}),
            "m": ("POST", "statistics/merge", {"count": 2, "mean": [0, 0], "var": [1, 1]}),
        }
        for layer, (method, resource, body) in calls.items():
            with self.subTest(resource):
                self.put_layer(layer)
                self.call(method, self.path(layer, resource), body)
                self.assertEqual(self.call("GET", self.path(layer)).json["num_features"], 2)
                self.refused("shape_mismatch", 422, "POST", self.path(layer, "train"), {"data": [[1], [2]]})

    def test_a_refused_first_batch_fixes_nothing(self):
        self.put_layer()
        self.refused("too_few_values", 422, "POST", self.path("bn", "train"), {"data": [[1, 2, 3]]})
        self.call("POST", self.path("bn", "train"), {"shape": [0, 3], "data": []})
        self.assertIsNone(self.call("GET", self.path()).json["num_features"])
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 4]]})


class NameTest(DaemonTest):
    def test_good_names(self):
        for name in ("a", "Z", "0", "layer1.0.bn1", "a-b_c.d", "x" * 128, "1.", "a..b", "bn1.running_mean"):
            with self.subTest(name):
                answer = self.put_layer(name)
                self.assertEqual(answer.headers["location"], self.path(name))
                self.assertEqual(self.call("PUT", f"/v1/models/{name}/layers/bn", {"kind": "batch_norm"}).status, 201)

    def test_bad_names(self):
        names = ["x" * 129, ".a", "-a", "_a", "..", "a/b", "a b", "ä", "a\n", "a%", "a:b", "a~", '"', "a\\b", "*"]
        client = self.daemon.client()
        for name in names:
            encoded = quote(name, safe="")
            for path in (f"/v1/models/{encoded}/layers/bn", f"/v1/models/{self.model}/layers/{encoded}"):
                with self.subTest(path):
                    # curl would walk up at ".."
                    answer = client.request("PUT", path, {"kind": "batch_norm"})
                    self.assertEqual((answer.status, answer.code), (400, "bad_name"), answer)
        client.close()
        self.refused("bad_name", 400, "GET", "/v1/models/%2E%2E")
        self.refused("bad_name", 400, "DELETE", "/v1/models/a%2Flayers%2Fbn")

    def test_an_empty_name(self):
        client = self.daemon.client()
        for path in ("/v1/models//layers/bn", f"/v1/models/{self.model}/layers//train"):
            answer = client.request("GET" if path.endswith("bn") else "POST", path, "{}")
            self.assertIn(answer.code, ("bad_name", "no_such_route"))
        client.close()

    def test_names_are_percent_decoded(self):
        self.put_layer("layer1.0")
        shown = self.call("GET", f"/v1/models/{self.model}/layers/%6Cayer1%2e0")
        self.assertEqual(shown.json["kind"], "batch_norm")

    def test_names_keep_their_case(self):
        self.put_layer("BN")
        self.refused("no_such_layer", 404, "GET", self.path("bn"))


class ListTest(DaemonTest):
    def test_layers_of_a_model(self):
        self.put_layer("b", {"kind": "layer_norm", "normalized_shape": [3]})
        self.put_layer("a")
        self.call("POST", self.path("a", "train"), {"data": [[1, 2], [3, 5]]})
        listed = self.call("GET", f"/v1/models/{self.model}").json
        self.assertEqual(
            listed,
            {
                "name": self.model,
                "layers": [
                    {"name": "a", "revision": 1, "definition": {**BATCH_NORM, "num_features": 2}},
                    {"name": "b", "revision": 0, "definition": LAYER_NORM},
                ],
                "next": None,
            },
        )

    NAMES = ["A", "B10", "B9", "Zz", "a", "a-b", "a.b", "a.b.c", "aa", "a_b", "b"]

    def pages(self, path, member, limit):
        got, sizes, after = [], [], None
        while True:
            query = f"?limit={limit}" + (f"&after={quote(after)}" if after else "")
            page = self.call("GET", path + query).json
            names = [entry if isinstance(entry, str) else entry["name"] for entry in page[member]]
            got += names
            sizes.append(len(names))
            if page["next"] is None:
                return got, sizes
            self.assertEqual(page["next"], names[-1])
            after = page["next"]

    def test_layers_page_in_byte_order(self):
        names = sorted(self.NAMES, key=str.encode)
        client = self.daemon.client()
        for name in reversed(names):
            client.request("PUT", self.path(name), {"kind": "batch_norm"})
        client.close()
        for limit, sizes in ((1, [1] * 11), (3, [3, 3, 3, 2]), (11, [11]), (1000, [11])):
            self.assertEqual(self.pages(f"/v1/models/{self.model}", "layers", limit), (names, sizes))
        page = self.call("GET", f"/v1/models/{self.model}?after=a.a&limit=2").json
        self.assertEqual([layer["name"] for layer in page["layers"]], ["a.b", "a.b.c"])
        page = self.call("GET", f"/v1/models/{self.model}?after=zzz").json
        self.assertEqual((page["layers"], page["next"]), ([], None))

    def test_models_page_in_byte_order(self):
        mine = [f"{self.model}.{name}" for name in self.NAMES]
        client = self.daemon.client()
        for name in mine:
            client.request("PUT", f"/v1/models/{name}/layers/bn", {"kind": "batch_norm"})
        client.close()
        whole = self.call("GET", "/v1/models?limit=1000").json["models"]
        self.assertEqual(whole, sorted(whole, key=str.encode))
        self.assertEqual([name for name in whole if name in mine], sorted(mine, key=str.encode))
        self.assertEqual(self.pages("/v1/models", "models", 2)[0], whole)
        after = sorted(mine, key=str.encode)[4]
        page = self.call("GET", f"/v1/models?limit=3&after={after}").json
        self.assertEqual(page["models"], whole[whole.index(after) + 1 : whole.index(after) + 4])

    def test_a_page_has_a_hundred_unless_said(self):
        client = self.daemon.client()
        for i in range(101):
            client.request("PUT", self.path(f"l{i:03}"), {"kind": "batch_norm"})
        client.close()
        page = self.call("GET", f"/v1/models/{self.model}").json
        self.assertEqual((len(page["layers"]), page["next"]), (100, "l099"))
        page = self.call("GET", f"/v1/models/{self.model}?after=l099").json
        self.assertEqual(([layer["name"] for layer in page["layers"]], page["next"]), (["l100"], None))

    def test_limit_is_checked(self):
        self.put_layer()
        for path in ("/v1/models", f"/v1/models/{self.model}"):
            for limit in ("0", "-1", "1001", "ten", "", "1.5", "1e2", "+1", "99999999999999999999"):
                with self.subTest(path=path, limit=limit):
                    answer = self.refused("bad_parameter", 400, "GET", f"{path}?limit={quote(limit)}")
                    self.assertIn("limit", answer.json["detail"])

    def test_a_query_parameter_stands_once(self):
        self.refused("bad_parameter", 400, "GET", "/v1/models?limit=1&limit=2")


class DeleteTest(DaemonTest):
    def test_a_layer_is_deleted(self):
        self.put_layer("a")
        self.put_layer("b")
        answer = self.call("DELETE", self.path("a"), status=204)
        self.assertEqual(answer.body, "")
        for method, path in (
            ("GET", self.path("a")),
            ("DELETE", self.path("a")),
            ("GET", self.path("a", "statistics")),
            ("GET", self.path("a", "parameters")),
            ("GET", self.path("a", "affine")),
            ("DELETE", self.path("a", "statistics")),
        ):
            self.refused("no_such_layer", 404, method, path)
        for resource in ("train", "infer"):
            self.refused("no_such_layer", 404, "POST", self.path("a", resource), {"data": [[1], [2]]})
        listed = self.call("GET", f"/v1/models/{self.model}").json["layers"]
        self.assertEqual([layer["name"] for layer in listed], ["b"])

    def test_a_model_is_deleted_with_its_layers(self):
        self.put_layer("a")
        self.put_layer("b")
        self.call("POST", self.path("a", "train"), {"data": [[1], [2]]})
        self.call("DELETE", f"/v1/models/{self.model}", status=204)
        for method, path in (
            ("GET", f"/v1/models/{self.model}"),
            ("DELETE", f"/v1/models/{self.model}"),
            ("GET", self.path("a")),
            ("GET", self.path("b", "statistics")),
            ("DELETE", self.path("a")),
        ):
            self.refused("no_such_model", 404, method, path)
        self.assertNotIn(self.model, self.call("GET", "/v1/models?limit=1000").json["models"])

    def test_a_layer_that_comes_again_is_new(self):
        self.put_layer("bn", {"kind": "batch_norm", "num_features": 1})
        self.call("POST", self.path("bn", "train"), {"data": [[1], [2]]})
        self.call("PUT", self.path("bn", "parameters"), {"weight": [3], "bias": [4]})
        self.call("DELETE", self.path(), status=204)
        self.assertEqual(self.put_layer("bn", {"kind": "batch_norm", "num_features": 2}).headers["etag"], '"0"')
        stats = self.call("GET", self.path("bn", "statistics")).json
        self.assertEqual((stats["running_mean"]["data"], stats["num_batches_tracked"], stats["revision"]), ([0, 0], 0, 0))
        self.assertEqual(self.call("GET", self.path("bn", "parameters")).json, {"weight": [1, 1], "bias": [0, 0]})
        self.refused("not_trained", 409, "POST", self.path("bn", "infer"), {"data": [[1, 2]]})

    def test_a_layer_that_comes_again_with_its_model_is_new(self):
        self.put_layer()
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2], [2, 3]]})
        self.call("DELETE", f"/v1/models/{self.model}", status=204)
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [1]})
        self.refused("no_such_layer", 404, "GET", self.path())
        self.assertIsNone(self.put_layer().json["num_features"])

    def test_a_deletion_takes_if_match(self):
        self.put_layer()
        self.call("POST", self.path("bn", "train"), {"data": [[1], [2]]})
        self.refused("revision_mismatch", 412, "DELETE", self.path(), headers={"If-Match": '"0"'})
        self.call("GET", self.path())
        self.call("DELETE", self.path(), headers={"If-Match": '"1"'}, status=204)

    def test_missing_model_and_missing_layer_are_told_apart(self):
        self.refused("no_such_model", 404, "GET", self.path("bn", "statistics"))
        self.put_layer("other")
        self.refused("no_such_layer", 404, "GET", self.path("bn", "statistics"))


if __name__ == "__main__":
    unittest.main()
