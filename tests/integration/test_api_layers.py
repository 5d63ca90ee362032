# SPDX-License-Identifier: MIT
"""Models and layers: creating, naming, listing and deleting them."""

import json
import unittest
from urllib.parse import quote

from definitions import BATCH_NORM, LAYER_NORM
from normd import DaemonTest


class PutTest(DaemonTest):
    def test_created_with_location_and_etag(self):
        answer = self.put_layer()
        self.assertEqual(answer.headers["location"], self.path())
        self.assertEqual(answer.headers["etag"], '"0"')
        self.assertEqual(answer.headers["normd-revision"], "0")
        self.assertEqual(answer.headers["content-type"], "application/json")

    def test_the_same_definition_again(self):
        first = self.put_layer("bn", {"kind": "batch_norm", "num_features": 3})
        again = self.put_layer("bn", {"kind": "batch_norm", "eps": 0.00001, "num_features": 3, "momentum": 1e-1},
                               status=200)
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
            "normalize_by": "running",
            "min_std": 0.5,
            "clip": 5,
        }
        for field, value in others.items():
            with self.subTest(field):
                other = {**given, field: value}
                if field == "averaging":
                    other["momentum"] = None
                answer = self.refused("layer_differs", 409, "PUT", self.path(), other)
                told = f'"{field}" is {json.dumps(given[field])}, not '
                self.assertIn(told.replace("1e-05", "0.00001"), answer.json["detail"])
        answer = self.refused("layer_differs", 409, "PUT", self.path(), {"kind": "layer_norm", "normalized_shape": [3]})
        self.assertEqual(answer.json["detail"], 'layer "bn" exists with another definition: "kind" is "batch_norm", '
                         'not "layer_norm"')
        long = "l" * 128
        self.put_layer(long, {"kind": "batch_norm"})
        answer = self.refused("layer_differs", 409, "PUT", self.path(long), {
            "kind": "batch_norm", "eps": 1.2345678901234567e-5, "averaging": "decayed", "half_life": 1.2345678901234567,
            "renorm": {"r_max": 1.2345678901234567, "d_max": 1.2345678901234567}, "clip": 1.2345678901234567})
        self.assertRegex(answer.json["detail"], f'^layer "{long}" exists with another definition: "eps" is 0.00001, '
                         'not 0.000012345678901234568; "momentum" is 0.1, not null; .*, not [^ ]*$')
        self.assertEqual(self.call("GET", self.path()).json, {**given, "frozen": False})

    def test_another_layer_norm_is_refused(self):
        given = {**LAYER_NORM, "normalized_shape": [2, 3]}
        self.put_layer("ln", given)
        for field, value in {"normalized_shape": [3, 2], "eps": 1e-4, "elementwise_affine": False, "bias": False,
                             "convention": "flax"}.items():
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
                    {"name": "a", "revision": 1, "frozen": False, "definition": {**BATCH_NORM, "num_features": 2}},
                    {"name": "b", "revision": 0, "frozen": False, "definition": LAYER_NORM},
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
        self.assertEqual((stats["running_mean"]["data"], stats["num_batches_tracked"], stats["revision"]),
                         ([0, 0], 0, 0))
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
