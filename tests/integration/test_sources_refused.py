# SPDX-License-Identifier: MIT
"""What the calls of sources refuse. Each time the error says why, and nothing has changed."""

import numpy

import npy
from sources import SourcesTest, values


class Refused(SourcesTest):
    GOOD = {"count": 5, "mean": [1, 2], "var": [1, 0]}

    def test_totals(self):
        self.pooled()
        self.put_source("a", self.GOOD)
        self.train("bn", values(4, 2))
        for code, status, body in (
            ("source_went_back", 409, {"count": 4}), ("source_went_back", 409, {"count": 0}),
            ("bad_parameter", 400, {"count": 2**63}), ("bad_parameter", 400, {"count": 2**64}),
            ("bad_parameter", 400, {"count": 10**30}), ("bad_parameter", 400, {"count": -1}),
            ("bad_parameter", 400, {"count": 5.5}), ("bad_parameter", 400, {"count": "5"}),
            ("bad_parameter", 400, {"count": True}), ("bad_parameter", 400, {"count": None}),
            ("bad_parameter", 400, {"count": 2**63 - 1}), ("bad_parameter", 400, {"count": [5]}),
            ("bad_parameter", 400, {"var": [1, -1e-300]}), ("bad_parameter", 400, {"var": None}),
            ("bad_parameter", 400, {"mean": None}), ("bad_parameter", 400, {"mean": 1}),
            ("shape_mismatch", 422, {"mean": [1]}), ("shape_mismatch", 422, {"var": [1, 1, 1]}),
            ("shape_mismatch", 422, {"mean": [], "var": []}), ("shape_mismatch", 422, {"mean": [[1, 2]]}),
            ("shape_mismatch", 422, {"mean": [1, 2, 3], "var": [1, 1, 1]}),
            ("non_finite_input", 422, {"mean": [1.7e308, 1], "count": 2**40}),
            ("bad_parameter", 400, {"momentum": 1}),
        ):  # yapf: disable
            with self.subTest(**body):
                self.assertRefused(code, status, "PUT", self.sources("bn", "a"), {**self.GOOD, **body})
        for code, text in (
            ("bad_json", '{"count":5,"mean":[NaN,2],"var":[1,0]}'),
            ("bad_json", '{"count":5,"mean":[1,2],"var":[Infinity,0]}'),
            ("bad_json", '{"count":NaN,"mean":[1],"var":[1]}'), ("bad_json", '{"count":5,"mean":[1,2],"var":[1,0]'),
            ("bad_json", '{"count":5,"count":6,"mean":[1],"var":[1]}'),
            ("bad_tensor", '{"count":5,"mean":[1,2],"var":[1,null]}'),
            ("bad_tensor", '{"count":5,"mean":[1e999,2],"var":[1,0]}'),
            ("bad_tensor", '{"count":5,"mean":[1,[2]],"var":[1,0]}'),
            ("bad_parameter", "[1,2]"), ("bad_parameter", "7"), ("bad_parameter", "null"), ("bad_parameter", "{}"),
        ):  # yapf: disable
            with self.subTest(text):
                self.assertRefused(code, 400, "PUT", self.sources("bn", "a"), text)
        for typo, meant in (("means", "mean"), ("cout", "count"), ("vra", "var")):
            told = self.assertRefused("bad_parameter", 400, "PUT", self.sources("bn", "a"), {**self.GOOD, typo: 1})
            self.assertIn(f'did you mean "{meant}"?', told["detail"])
        self.assertRefused("bad_parameter", 400, "PUT", self.sources("bn", "a") + "?count=5", self.GOOD)
        self.assertRefused("unsupported_media_type", 415, "PUT", self.sources("bn", "a"), npy.save(values(2, 2)),
                           {"Content-Type": npy.TYPE})

    def test_the_first_totals_of_a_layer(self):
        """Nothing of a refused one remains, not even a number of features."""
        self.pooled()
        for code, status, body in (("bad_parameter", 400, {"var": [-1, 1]}), ("shape_mismatch", 422, {"var": [1]}),
                                   ("shape_mismatch", 422, {"mean": [], "var": []})):
            self.assertRefused(code, status, "PUT", self.sources("bn", "a"), {**self.GOOD, **body})
        self.assertIsNone(self.ask("GET", self.path("bn")).json["num_features"])

    def test_a_pool_that_overflows(self):
        self.pooled()
        self.put_source("a", {"count": 1, "mean": [1e308], "var": [0]})
        self.assertRefused("non_finite_input", 422, "PUT", self.sources("bn", "b"),
                           {"count": 1, "mean": [-1e308], "var": [0]})
        self.put_source("b", {"count": 1, "mean": [1e308], "var": [0]})

    def test_names(self):
        self.pooled()
        self.put_source("a" * 128, self.GOOD)
        for name in ("a" * 129, "-a", ".a", "_", "a%20b", "%C3%A9", "a%2Fb", "a:b"):
            for method, body in (("PUT", self.GOOD), ("GET", None), ("DELETE", None)):
                told = self.assertRefused("bad_name", 400, method, self.sources("bn", name), body)
                self.assertIn("source name", told["detail"])

    def test_what_is_not_there(self):
        self.pooled()
        self.put_source("a", self.GOOD)
        for method in ("GET", "DELETE"):
            self.assertRefused("no_such_source", 404, method, self.sources("bn", "b"))
            self.assertRefused("no_such_source", 404, method, self.sources("bn", "A"))
        for method, rest, body in (("GET", [], None), ("GET", ["a"], None), ("PUT", ["a"], self.GOOD),
                                   ("DELETE", ["a"], None), ("POST", ["compact"], {"sources": ["a"]})):
            self.assertEqual(self.ask(method, self.sources("other", *rest), body, status=404).code, "no_such_layer")
            path = "/v1/models/none/layers/bn/statistics/sources"
            self.assertEqual(self.ask(method, "/".join((path, *rest)), body, status=404).code, "no_such_model")

    def test_layers_that_are_not_pooled(self):
        kinds = {"exponential": {"kind": "batch_norm"}, "cumulative": {"kind": "batch_norm", "momentum": None},
                 "decayed": {"kind": "batch_norm", "averaging": "decayed", "half_life": 5},
                 "untracked": {"kind": "batch_norm", "averaging": "pooled", "track_running_stats": False},
                 "instance": {"kind": "instance_norm", "track_running_stats": True},
                 "layer_norm": {"kind": "layer_norm", "normalized_shape": [2]}}
        for layer, definition in kinds.items():
            self.put(layer, definition)
            for method, path, body in (
                ("GET", self.sources(layer), None), ("GET", self.sources(layer, "a"), None),
                ("PUT", self.sources(layer, "a"), self.GOOD), ("DELETE", self.sources(layer, "a"), None),
                ("POST", self.sources(layer, "compact"), {"sources": ["a"]}),
                ("POST", self.path(layer, "train") + "?source=a", {"data": [[[1, 2], [3, 4]]]}),
            ):  # yapf: disable
                with self.subTest(layer, method=method, path=path):
                    told = self.assertRefused("bad_parameter", 400, method, path, body, layer=layer)
                    self.assertRegex(told["detail"], "pooled|keeps no running statistics")
                    if layer in ("exponential", "cumulative", "decayed"):
                        self.assertIn(f"{layer} averaging", told["detail"])

    def test_a_key_of_a_layer_that_is_frozen_since(self):
        """A repeat is answered as the first time; under another key, nothing is stored and no source is made."""
        self.pooled()
        call, compact = self.path("bn", "train") + "?source=a", self.sources("bn", "compact")
        first = self.ask("POST", call, [[1, 2], [3, 4]], {"Idempotency-Key": "k"})
        self.put_source("b", self.GOOD)
        folded = self.ask("POST", compact, {"sources": ["b"]}, {"Idempotency-Key": "l"})
        self.ask("PUT", self.path("bn", "frozen"), {"frozen": True})
        before = self.state("bn")
        again = self.ask("POST", call, [[1, 2], [3, 4]], {"Idempotency-Key": "k"})
        self.assertEqual((again.raw, again.headers["etag"]), (first.raw, first.headers["etag"]))
        self.assertEqual(self.ask("POST", compact, {"sources": ["b"]}, {"Idempotency-Key": "l"}).raw, folded.raw)
        self.ask("POST", self.path("bn", "train") + "?source=c", [[1, 2], [3, 4]], {"Idempotency-Key": "m"})
        self.assertEqual(self.state("bn"), before)

    def test_a_stale_revision(self):
        self.pooled()
        self.put_source("a", self.GOOD)
        for stale in ('"0"', '"2"', 'W/"1"', '"x"'):
            for method, body in (("PUT", {**self.GOOD, "count": 6}), ("DELETE", None)):
                self.assertRefused("revision_mismatch", 412, method, self.sources("bn", "a"), body, {"If-Match": stale})
        self.assertRefused("bad_parameter", 400, "DELETE", self.sources("bn", "a"), None, {"If-Match": "1"})
        self.put_source("a", {**self.GOOD, "count": 6}, headers={"If-Match": '"7", "1"'})
        self.delete_source("a", headers={"If-Match": "*"})
        self.assertEqual(self.revision(), '"3"')

    def test_frozen(self):
        self.pooled()
        self.put_source("a", self.GOOD)
        self.ask("PUT", self.path("bn", "frozen"), {"frozen": True})
        for method, rest, body in (("PUT", "a", {**self.GOOD, "count": 6}), ("PUT", "b", self.GOOD),
                                   ("DELETE", "a", None), ("POST", "compact", {"sources": ["a"]})):
            self.assertRefused("frozen", 409, method, self.sources("bn", rest), body)
        before = self.state("bn")
        answer = self.train("bn", numpy.array([[1.0, 2.0]]), "?source=a").json
        self.assertNear(answer["data"], [[0, 0]])
        self.assertEqual(self.state("bn"), before)
        self.ask("PUT", self.path("bn", "frozen"), {"frozen": False})
        self.put_source("a", {**self.GOOD, "count": 6})

    def test_methods(self):
        self.pooled()
        for rest, allowed in (([], "GET, HEAD, OPTIONS"), (["a"], "PUT, GET, HEAD, DELETE, OPTIONS"),
                              (["compact"], "PUT, GET, HEAD, DELETE, POST, OPTIONS")):
            path = self.sources("bn", *rest)
            self.assertEqual(self.ask("PATCH", path, status=405).headers["allow"], allowed)
            self.assertEqual(self.ask("OPTIONS", path, status=204).headers["allow"], allowed)
        self.ask("POST", self.sources("bn", "a"), self.GOOD, status=405)
        self.ask("PUT", self.sources(), self.GOOD, status=405)
        self.assertEqual(self.ask("GET", self.path("bn", "statistics", "source"), status=404).code, "no_such_route")
        self.put_source("a", self.GOOD)
        for rest in ([], ["a"]):
            got = self.ask("GET", self.sources("bn", *rest))
            head = self.ask("HEAD", self.sources("bn", *rest))
            self.assertEqual((head.raw, head.headers["content-length"]), (b"", str(len(got.raw))))


class Limit(SourcesTest):
    def test_at_most_4096(self):
        self.pooled()
        for i in range(4096):
            self.put_source(f"w{i}", {"count": 1, "mean": [i], "var": [0]})
        names = sorted(f"w{i}" for i in range(4096))
        before = self.statistics()
        for method, path, body in (("PUT", self.sources("bn", "v"), {"count": 1, "mean": [5], "var": [0]}),
                                   ("POST", self.path("bn", "train") + "?source=v", {"data": [[1], [2]]})):
            answer = self.ask(method, path, body, status=409)
            self.assertEqual(answer.code, "too_many_sources")
            self.assertIn("4096", answer.json["detail"])
            self.assertEqual((self.statistics(), self.revision()), (before, '"4096"'))
        self.assertEqual(self.names(), names)
        self.assertClose(before["mean"], [4095 / 2])
        self.put_source("w7", {"count": 2, "mean": [7], "var": [0]})
        self.train("bn", numpy.array([[1.0], [2.0]]), "?source=w9")
        self.train("bn", numpy.array([[1.0], [2.0]]))
        self.compact(names[:3000])
        self.put_source("v", {"count": 1, "mean": [5], "var": [0]})
        self.assertEqual((len(self.names()), self.statistics()["count"]), (1097, 4096 + 1 + 2 + 2 + 1))
